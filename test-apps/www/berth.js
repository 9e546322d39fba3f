'use strict';

// One WebSocket to one protocol that comes back by itself after a drop. States: idle, connecting, open, closing, waiting.
class Berth {
  static firstWait = 250;        // ms; doubles with each failure
  static longestWait = 5000;     // ms
  static politeWait = 4000;      // ms after a close that the user asked for
  static connectLimit = 10000;   // ms until an unanswered handshake counts as failed
  static closeLimit = 5000;      // ms until a server that was asked to close and did not counts as open again
  static steadyAfter = 2000;     // ms open before the wait starts from the shortest again

  // `changed()` is called after every change of state, `received(data)` for every message.
  constructor(protocol, { changed, received }) {
    this.protocol = protocol;
    this.changed = changed;
    this.received = received;
    this.state = 'idle';
    this.socket = null;
    this.failures = 0;
    this.timer = 0;
    this.retryAt = 0;
    this.askedToClose = false;
    this.everOpen = false;
    this.closing = null;           // { code, reason } of the last close
    this.clearCounts();
  }

  clearCounts() {
    this.in = { messages: 0, bytes: 0 };
    this.out = { messages: 0, bytes: 0 };
  }

  // Forgets everything before and connects to `url`.
  moor(url) {
    this.url = url;
    this.closing = null;
    this.everOpen = false;
    this.clearCounts();
    this.retry();
  }

  retry() {
    this.failures = 0;
    this.connect();
  }

  connect() {
    this.letGo();
    this.state = 'connecting';
    this.askedToClose = false;
    const socket = new WebSocket(this.url, this.protocol);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.opened();
    socket.onmessage = (event) => this.arrived(event.data);
    socket.onclose = (event) => this.closed(event.code, event.reason);
    this.timer = setTimeout(() => {
      this.letGo();
      this.closed(1006, 'no answer to the handshake');
    }, Berth.connectLimit);
    this.changed();
  }

  // Drops the socket and the timer without calling the listeners.
  letGo() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  opened() {
    clearTimeout(this.timer);
    this.state = 'open';
    this.everOpen = true;
    this.askedToClose = false;
    this.openedAt = performance.now();
    this.openedOn = new Date();
    this.changed();
  }

  arrived(data) {
    this.in.messages += 1;
    this.in.bytes += Berth.size(data);
    this.received(data);
  }

  closed(code, reason) {
    clearTimeout(this.timer);
    const steady = this.state !== 'connecting' && performance.now() - this.openedAt > Berth.steadyAfter;
    this.socket = null;
    this.closing = { code, reason };
    if (steady) this.failures = 0;
    const wait = this.askedToClose ? Berth.politeWait : this.nextWait();
    this.askedToClose = false;
    this.state = 'waiting';
    this.retryAt = performance.now() + wait;
    this.timer = setTimeout(() => this.connect(), wait);
    this.changed();
  }

  // The jitter shortens the wait by up to a quarter, so that pages that lost the same server do not return in step.
  nextWait() {
    const full = Math.min(Berth.longestWait, Berth.firstWait * 2 ** this.failures);
    this.failures = Math.min(this.failures + 1, 16);
    return full * (1 - Math.random() / 4);
  }

  // False if nothing was sent. The socket knows of a close before `onclose` is called.
  send(data) {
    if (this.state !== 'open' || this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(data);
    this.out.messages += 1;
    this.out.bytes += Berth.size(data);
    return true;
  }

  // Sends `request`, which makes the server close.
  askToClose(request) {
    if (!this.send(request)) return;
    this.askedToClose = true;
    this.state = 'closing';
    this.timer = setTimeout(() => this.opened(), Berth.closeLimit);
    this.changed();
  }

  static size(data) {
    return typeof data === 'string' ? Berth.encoder.encode(data).length : data.byteLength;
  }
}
Berth.encoder = new TextEncoder();
