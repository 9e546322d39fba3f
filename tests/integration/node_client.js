// node_client.js URL [PEM]: talks to both protocols and the default row at the same time, and prints what it saw as one JSON object.
'use strict';
const WebSocket = require('ws');
const url = process.argv[2];
const options = process.argv[3] ? { ca: require('fs').readFileSync(process.argv[3]) } : {};

// An open WebSocket whose messages can be awaited one by one.
function open(...protocols) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols, options);
    const arrived = [], waiting = [];
    const closed = new Promise((done) => socket.on('close', (code, reason) => done({ code, reason: reason.toString() })));
    socket.on('message', (data, isBinary) => {
      const message = isBinary ? data : data.toString();
      if (waiting.length) waiting.shift()(message);
      else arrived.push(message);
    });
    socket.on('error', reject);
    socket.on('open', () => resolve({
      socket, closed,
      send: (message) => socket.send(message),
      next: () => (arrived.length ? Promise.resolve(arrived.shift()) : new Promise((got) => waiting.push(got))),
    }));
  });
}

async function count(client, report) {
  report.numbers = [];
  while (report.numbers.length < 5) report.numbers.push(Number(await client.next()));
  client.send('reset\n');
  let number;
  do number = Number(await client.next()); while (number !== 0);
  report.afterReset = [0, Number(await client.next()), Number(await client.next())];
  client.send('closeme\n');
  report.closed = await client.closed;
}

async function reverse(client, report) {
  client.send('Hello, wörld! 👋');
  report.reversed = await client.next();
  client.send(Buffer.from([0, 1, 2, 128, 255]));
  report.reversedBinary = [...await client.next()];
  client.socket.close(1000);
  await client.closed;
}

async function echo(client, report) {
  report.echoedSizes = [];
  for (const size of [0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024]) {
    const binary = Buffer.alloc(size, 'binary \xff\x00', 'latin1');
    const text = 'text'.repeat(size / 4 + 1).slice(0, size);
    client.send(binary);
    client.send(text);
    const back = await client.next();
    const same = Buffer.isBuffer(back) && back.equals(binary) && await client.next() === text;
    report.echoedSizes.push(same ? size : `${size}: differs`);
  }
  client.send(Buffer.alloc(1024 * 1024 + 1));
  report.tooBig = (await client.closed).code;
}

async function main() {
  const report = {};
  const clients = await Promise.all([open('dumb-increment-protocol'), open('no-such-protocol', 'reverse-echo'), open()]);
  report.subprotocols = clients.map((client) => client.socket.protocol);
  report.subprotocols[2] = report.subprotocols[2] || 'echo';
  await Promise.all([count(clients[0], report), reverse(clients[1], report), echo(clients[2], report)]);
  console.log(JSON.stringify(report));
}

main().catch((error) => { console.error(error); process.exit(1); });
