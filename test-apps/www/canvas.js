'use strict';

// What lws-mirror-protocol's clients say: "c #RRGGBB x y r;" is a circle, "d #RRGGBB x1 y1 x2 y2;" a line, several in a message.
// Anything else is left out.
class Board {
  static lineWidth = 4;

  constructor(canvas) {
    this.canvas = canvas;
    this.paper = canvas.getContext('2d');
    this.paper.lineWidth = Board.lineWidth;
    this.paper.lineCap = 'round';
  }

  obey(text) {
    for (const command of text.split(';')) {
      const [kind, colour, ...rest] = command.trim().split(/\s+/);
      const numbers = rest.map(Number);
      if (!/^#[0-9a-f]{6}$/i.test(colour ?? '') || !rest.length || !numbers.every(Number.isFinite)) continue;
      if (kind === 'c' && numbers.length === 3 && numbers[2] >= 0) this.circle(colour, ...numbers);
      if (kind === 'd' && numbers.length === 4) this.line(colour, ...numbers);
    }
  }

  circle(colour, x, y, radius) {
    this.paper.fillStyle = colour;
    this.paper.beginPath();
    this.paper.arc(x, y, radius, 0, 2 * Math.PI);
    this.paper.fill();
  }

  line(colour, x1, y1, x2, y2) {
    this.paper.strokeStyle = colour;
    this.paper.beginPath();
    this.paper.moveTo(x1, y1);
    this.paper.lineTo(x2, y2);
    this.paper.stroke();
  }

  clear() {
    this.paper.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  // The place of a pointer on the board, however large the board is shown.
  place(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return {
      x: Math.round((event.clientX - left) * this.canvas.width / width),
      y: Math.round((event.clientY - top) * this.canvas.height / height),
    };
  }
}

// The card with the board. A stroke is drawn when it comes back from the server, so that all boards get all strokes in one order.
class Easel {
  static longestRoom = 64;   // bytes

  constructor() {
    this.board = new Board(byId('canvas-board'));
    this.strokes = [];
    this.pointers = new Map();
    this.url = '';
    this.room = new URLSearchParams(location.search).get('mirror') ?? '';
    byId('canvas-room').value = this.room;
    this.card = new Card('canvas', 'lws-mirror-protocol', {
      received: (data) => this.received(data),
      lost: () => this.pointers.clear(),
      target: (url) => this.target(url),
    });
    this.listen();
  }

  listen() {
    const { canvas } = this.board;
    canvas.addEventListener('pointerdown', (event) => this.pressed(event));
    canvas.addEventListener('pointermove', (event) => this.moved(event));
    for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    byId('canvas-clear').addEventListener('click', () => this.board.clear());
    byId('canvas-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.enter(byId('canvas-room').value);
    });
  }

  received(data) {
    if (typeof data === 'string') this.board.obey(data);
  }

  target(url) {
    this.url = url;
    const own = new URL(url);
    if (this.room !== '') own.searchParams.set('mirror', this.room);
    return own.href;
  }

  enter(room) {
    if (Berth.size(room) > Easel.longestRoom) {
      byId('canvas-hint').textContent = `A room's name has at most ${Easel.longestRoom} bytes.`;
      return;
    }
    byId('canvas-hint').textContent = '';
    this.room = room;
    this.board.clear();
    this.card.moor(this.url);
  }

  pressed(event) {
    if (event.button !== 0 || this.card.berth.state !== 'open') return;
    event.preventDefault();
    this.board.canvas.setPointerCapture(event.pointerId);
    const { x, y } = this.board.place(event);
    this.pointers.set(event.pointerId, { x, y });
    this.draw(`c ${byId('canvas-colour').value} ${x} ${y} ${Board.lineWidth / 2};`);
  }

  moved(event) {
    if (!this.pointers.has(event.pointerId)) return;
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) {
      const from = this.pointers.get(event.pointerId);
      const to = this.board.place(step);
      if (from.x === to.x && from.y === to.y) continue;
      this.pointers.set(event.pointerId, to);
      this.draw(`d ${byId('canvas-colour').value} ${from.x} ${from.y} ${to.x} ${to.y};`);
    }
  }

  // The strokes of one frame leave in one message.
  draw(stroke) {
    this.strokes.push(stroke);
    if (this.strokes.length > 1) return;
    requestAnimationFrame(() => {
      this.card.berth.send(this.strokes.join(''));
      this.strokes = [];
      this.card.paint();
    });
  }
}
