'use strict';

const plural = (count, word) => `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

const closeMeanings = {
  1000: 'normal', 1001: 'going away', 1002: 'protocol error', 1003: 'kind of data not taken', 1005: 'no code given',
  1006: 'connection lost', 1007: 'text was not UTF-8', 1008: 'against policy', 1009: 'message too big',
  1010: 'extension missing', 1011: 'server error', 1012: 'restarting', 1013: 'try again later', 1015: 'TLS failed',
};

function bytes(count) {
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${(count / 1000).toFixed(1)} kB`;
  return `${(count / 1e6).toFixed(2)} MB`;
}

// Runs `draw` at most once a frame, twice a second if the user wants reduced motion, and not at all while the tab is hidden.
function painter(draw) {
  let due = false;
  const run = () => {
    due = false;
    draw();
  };
  return () => {
    if (due) return;
    due = true;
    if (calm.matches) setTimeout(() => requestAnimationFrame(run), 500);
    else requestAnimationFrame(run);
  };
}

// The parts that all cards share: state, papers, and the line at the foot about the last close.
class Card {
  // `target` makes the card's URL from the server's.
  constructor(id, protocol, { received, opened = () => {}, lost = () => {}, target = (url) => url }) {
    this.id = id;
    this.hooks = { opened, lost, target };
    this.root = byId(id);
    this.paint = painter(() => this.drawCounts());
    this.berth = new Berth(protocol, {
      changed: () => this.changed(),
      received: (data) => {
        received(data);
        this.paint();
      },
    });
    this.part('reconnect').addEventListener('click', () => this.berth.retry());
  }

  part(name) {
    return byId(`${this.id}-${name}`);
  }

  moor(url) {
    this.berth.moor(this.hooks.target(url));
  }

  changed() {
    const { state, socket } = this.berth;
    const previous = this.root.dataset.state;
    this.root.dataset.state = state;
    this.part('state').textContent = state;
    if (!this.berth.everOpen) this.part('protocol').textContent = this.part('extensions').textContent = '–';
    if (state === 'open') {
      this.part('protocol').textContent = socket.protocol || 'none';
      this.part('extensions').textContent = socket.extensions || 'none';
      this.hooks.opened();
    }
    if (state !== 'open' && (previous === 'open' || previous === 'closing')) this.hooks.lost();
    for (const control of this.root.querySelectorAll('[data-needs-open]')) {
      control.setAttribute('aria-disabled', String(state !== 'open'));
    }
    this.drawClosing();
    this.drawCounts();
    drawHarbour();
  }

  drawClosing() {
    const { state, closing, everOpen } = this.berth;
    const away = state === 'waiting' || (state === 'connecting' && closing !== null);
    const reconnect = this.part('reconnect');
    if (reconnect.hidden === away) {
      if (!away && document.activeElement === reconnect) this.part('title').focus();
      reconnect.hidden = !away;
    }
    let text = '';
    if (closing) {
      const { code, reason } = closing;
      text = `${away ? 'Closed' : 'Last close'} ${code} ${reason || closeMeanings[code] || ''}`.trim();
      if (away && !everOpen && code === 1006) text = refusal(this);
    }
    if (this.part('closing').textContent !== text) this.part('closing').textContent = text;
    this.drawWhen();
  }

  drawWhen() {
    const { state, retryAt, openedOn } = this.berth;
    const texts = {
      waiting: () => `again in ${Math.max(0, (retryAt - performance.now()) / 1000).toFixed(1)} s`,
      connecting: () => 'trying now',
      open: () => `open since ${openedOn.toLocaleTimeString()}`,
      closing: () => 'asked to close',
    };
    this.part('when').textContent = texts[state]();
  }

  drawCounts() {
    for (const [name, count] of [['received', this.berth.in], ['sent', this.berth.out]]) {
      this.part(name).textContent = `${plural(count.messages, 'message')}, ${bytes(count.bytes)}`;
    }
  }
}

// A browser does not say why a handshake failed; the states of the other berths narrow it down.
function refusal(card) {
  const othersOpen = cards.some((other) => other !== card && other.berth.state === 'open');
  return othersOpen ? `Refused: no ${card.berth.protocol} here?` : 'No server answers here';
}

// Messages per second over the last three seconds.
function rate(samples) {
  const last = samples[samples.length - 1].time;
  const recent = samples.filter((sample) => sample.time > last - 3000);
  return recent.length < 2 ? '–' : ((recent.length - 1) * 1000 / (last - recent[0].time)).toFixed(1);
}

function counterCard() {
  const chart = new Chart(byId('counter-chart'), 10000);
  let value = '–';
  const paint = painter(() => {
    byId('counter-value').textContent = value;
    const sorted = chart.sorted();
    const [low, high] = [sorted[0], sorted[sorted.length - 1]];
    byId('counter-range').textContent = `${low} to ${high}`;
    byId('counter-rate').textContent = rate(chart.samples);
    chart.drawTrace(low, high);
  });
  const card = new Card('counter', 'dumb-increment-protocol', {
    opened: () => { value = byId('counter-value').textContent = '–'; },
    received: (data) => {
      value = data;
      chart.add(Number(data));
      paint();
    },
  });
  byId('counter-reset').addEventListener('click', () => card.berth.send('reset\n'));
  byId('counter-close').addEventListener('click', () => card.berth.askToClose('closeme\n'));
  return card;
}

class Logbook {
  static longest = 40;     // entries
  static widest = 400;     // characters shown of one text

  constructor(list) {
    this.list = list;
    this.pending = [];
  }

  // The text goes in as text, never as markup.
  static part(name, text) {
    const span = document.createElement('span');
    span.className = name;
    span.dir = 'auto';
    span.textContent = text.length > Logbook.widest ? `${text.slice(0, Logbook.widest)}…` : text;
    return span;
  }

  sent(text, at) {
    const entry = document.createElement('li');
    const time = Logbook.part('time', '…');
    entry.append(Logbook.part('sent', text), time);
    this.list.prepend(entry);
    while (this.list.children.length > Logbook.longest) this.list.lastChild.remove();
    this.pending.push({ entry, time, at });
  }

  received(text) {
    const first = this.pending.shift();
    if (!first) return;
    first.time.textContent = `${(performance.now() - first.at).toFixed(1)} ms`;
    first.entry.append(Logbook.part('received', text));
  }

  lost() {
    for (const { entry, time } of this.pending) {
      time.textContent = 'lost';
      entry.classList.add('lost');
    }
    this.pending = [];
  }

  clear() {
    const waiting = new Set(this.pending.map(({ entry }) => entry));
    for (const entry of [...this.list.children]) if (!waiting.has(entry)) entry.remove();
  }
}

function reverseCard() {
  const log = new Logbook(byId('reverse-log'));
  const input = byId('reverse-input');
  const card = new Card('reverse', 'reverse-echo', {
    received: (data) => log.received(typeof data === 'string' ? data : `${data.byteLength} bytes`),
    opened: () => { byId('reverse-hint').textContent = ''; },
    lost: () => log.lost(),
  });
  byId('reverse-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (input.value === '') return;
    const at = performance.now();
    if (!card.berth.send(input.value)) {
      byId('reverse-hint').textContent = 'Not connected. The text stays here until the berth is open again.';
      return;
    }
    log.sent(input.value, at);
    input.value = '';
    input.focus();
    byId('reverse-clear').hidden = false;
    card.paint();
  });
  byId('reverse-clear').addEventListener('click', () => {
    log.clear();
    byId('reverse-clear').hidden = true;
    input.focus();
  });
  return card;
}

function sameBytes(a, b) {
  return b instanceof ArrayBuffer && a.length === b.byteLength && new Uint8Array(b).every((byte, index) => byte === a[index]);
}

// Sends 64 random bytes twice a second, one message in flight at a time, and times their return.
class Pinger {
  static period = 500;   // ms

  constructor() {
    this.chart = new Chart(byId('echo-chart'), 30000);
    this.flight = null;
    this.wrong = 0;
    this.paused = false;
    this.card = new Card('echo', 'echo', {
      received: (data) => this.received(data),
      opened: () => this.ping(),
      lost: () => { this.flight = null; },
    });
    this.paint = painter(() => this.draw());
    setInterval(() => this.ping(), Pinger.period);
    byId('echo-toggle').addEventListener('click', () => {
      this.paused = !this.paused;
      byId('echo-toggle').textContent = this.paused ? 'Resume' : 'Pause';
      this.ping();
    });
  }

  ping() {
    if (this.paused || document.hidden || this.flight || this.card.berth.state !== 'open') return;
    const data = crypto.getRandomValues(new Uint8Array(64));
    const at = performance.now();
    if (this.card.berth.send(data)) this.flight = { data, at };
  }

  received(data) {
    if (!this.flight) return;
    const now = performance.now();
    if (!sameBytes(this.flight.data, data)) this.wrong += 1;
    this.chart.add(now - this.flight.at, now);
    this.flight = null;
    this.paint();
  }

  draw() {
    const { samples } = this.chart;
    if (!samples.length) return;
    const sorted = this.chart.sorted();
    const median = sorted[sorted.length >> 1];
    const top = Math.max(1, 1.3 * sorted[Math.floor(sorted.length * 0.9)]);
    byId('echo-value').textContent = samples[samples.length - 1].value.toFixed(1);
    byId('echo-top').textContent = `0 to ${top.toFixed(1)} ms`;
    byId('echo-summary').textContent = this.wrong
      ? `${plural(this.wrong, 'answer')} came back changed`
      : `median ${median.toFixed(1)} ms, most ${sorted[sorted.length - 1].toFixed(1)} ms`;
    this.chart.drawBars(top);
  }
}

function moorAll() {
  const field = byId('address');
  try {
    const url = webSocketUrl(field.value);
    field.value = url.href;
    if (fromFile) memory.write(url.href);
    byId('port').textContent = url.port || (url.protocol === 'wss:' ? '443' : '80');
    byId('address-error').textContent = '';
    field.removeAttribute('aria-invalid');
    for (const card of cards) card.moor(url.href);
  } catch (error) {
    byId('address-error').textContent = error.message;
    field.setAttribute('aria-invalid', 'true');
    field.focus();
  }
}

function drawHarbour() {
  const open = cards.filter((card) => card.berth.state === 'open').length;
  const text = open === cards.length ? `All ${open} berths taken` : `${open} of ${cards.length} berths taken`;
  if (byId('summary').textContent !== text) byId('summary').textContent = text;
}

// The page is visible again, or the network is back: the rest of a wait is skipped.
function hurry() {
  if (document.hidden) return;
  for (const card of cards) if (card.berth.state === 'waiting') card.berth.retry();
}

const cards = [];
cards.push(counterCard(), reverseCard(), new Pinger().card, new Easel().card, fraggleCard());
byId('address').value = firstAddress();
// A page that is opened as a file has no pages of plugins beside it.
if (fromFile) for (const link of document.querySelectorAll('nav a[href$="/"]')) link.hidden = true;
byId('harbour').addEventListener('submit', (event) => {
  event.preventDefault();
  moorAll();
});
document.addEventListener('visibilitychange', hurry);
addEventListener('online', hurry);
setInterval(() => {
  if (!document.hidden) for (const card of cards) if (card.berth.state === 'waiting') card.drawWhen();
}, 100);
moorAll();
