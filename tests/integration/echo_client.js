// echo_client.js URL: has messages of many sizes echoed, whole and in fragments of one byte, for each set of options on stdin (JSON), and
// prints for each what was agreed on, which messages came back changed and how many bytes travelled.
'use strict';
const WebSocket = require('ws');
const url = process.argv[2];
const LIMIT = 1024 * 1024;
const SIZES = [0, 1, 125, 126, 127, 65535, 65536, LIMIT];

function textOf(size) {
  const text = 'aé€👋'.repeat(Math.floor(size / 10));
  return Buffer.from(text + 'x'.repeat(size - Buffer.byteLength(text)));
}

// Words, so that it compresses and repeats itself at all distances, and noise, so that not all of it does.
function binaryOf(size) {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = i > 600 && state % 100 < 97 ? bytes[i - 17 - (i >>> 11) % 577] : state >>> 24;
  }
  return bytes;
}

function open(options) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'echo', { ...options, maxPayload: 0 });
    const arrived = [], waiting = [];
    const closed = new Promise((done) => socket.on('close', (code) => done(code)));
    const client = {
      socket, closed,
      next: () => (arrived.length ? Promise.resolve(arrived.shift()) : new Promise((got) => waiting.push(got))),
    };
    closed.then((code) => { while (waiting.length) waiting.shift()([Buffer.from(`closed with ${code}`), null]); });
    socket.on('message', (data, isBinary) => (waiting.length ? waiting.shift() : arrived.push.bind(arrived))([data, isBinary]));
    socket.on('upgrade', (response) => { client.extensions = response.headers['sec-websocket-extensions'] || ''; });
    socket.on('error', reject);
    socket.on('open', () => resolve(client));
  });
}

// Not all at once: ws queues messages that wait for compression in an array, and takes them from the front.
async function sendBytes(socket, data, binary) {
  for (let i = 0; i < data.length; i++) {
    const options = { binary, fin: i === data.length - 1, compress: true };
    if (i % 500 !== 499) socket.send(data.subarray(i, i + 1), options);
    else await new Promise((sent) => socket.send(data.subarray(i, i + 1), options, sent));
  }
}

async function echo(client, data, binary, way) {
  if (way === 'whole' || data.length === 0) client.socket.send(data, { binary, compress: true });
  else await sendBytes(client.socket, data, binary);
  const [back, isBinary] = await client.next();
  if (isBinary === binary && back.equals(data)) return [];
  return [`${binary ? 'binary' : 'text'} of ${data.length}, ${way}: ${back.length} bytes came back, ${back.subarray(0, 40)}`];
}

async function run({ options, fragments }) {
  const client = await open(options);
  const report = { extensions: client.extensions, wrong: [], echoed: 0 };
  for (const way of ['whole', 'fragments']) {
    const most = way === 'whole' ? LIMIT : fragments;
    for (const size of SIZES.filter((size) => size <= most)) {
      for (const [data, binary] of [[textOf(size), false], [binaryOf(size), true]]) {
        // Compressing each byte by itself takes ws long, so one kind of each large size is enough.
        if (way === 'fragments' && client.extensions && size > 1000 && binary === (size % 2 === 1)) continue;
        report.wrong.push(...await echo(client, data, binary, way));
        report.echoed++;
      }
    }
    if (way === 'whole') {
      report.sent = client.socket._socket.bytesWritten;
      report.received = client.socket._socket.bytesRead;
    }
  }
  client.socket.close(1000);
  report.closed = await client.closed;
  return report;
}

async function main() {
  const reports = [];
  for (const scenario of JSON.parse(require('fs').readFileSync(0, 'utf8'))) reports.push(await run(scenario));
  console.log(JSON.stringify(reports));
}

main().catch((error) => { console.error(error); process.exit(1); });
