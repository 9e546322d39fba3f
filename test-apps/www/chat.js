'use strict';

// The text goes in as text, never as markup.
function element(kind, name, text) {
  const made = document.createElement(kind);
  made.className = name;
  made.textContent = text;
  return made;
}

// The first `count` words of a line, and the rest of it.
function words(line, count) {
  const found = [];
  let rest = line;
  for (; count > 0; count -= 1) {
    const space = rest.indexOf(' ');
    found.push(space < 0 ? rest : rest.slice(0, space));
    rest = space < 0 ? '' : rest.slice(space + 1);
  }
  return [...found, rest];
}

// chat-protocol: plugins/chat.cpp describes the messages.
class ChatRoom {
  static longestLog = 500;   // entries

  constructor() {
    this.wanted = '';      // the name to join with, also after a drop
    this.name = '';        // the one that the server knows us by; empty while we are not in
    this.people = new Set();
    this.drawn = '';       // the people on the page
    this.berth = new Berth('chat-protocol', {
      changed: () => this.changed(),
      received: (data) => this.received(data),
    });
    byId('chat-name-form').addEventListener('submit', (event) => this.submitName(event));
    byId('chat-form').addEventListener('submit', (event) => this.submitText(event));
  }

  changed() {
    const { state, socket } = this.berth;
    byId('chat').dataset.state = state;
    byId('chat-state').textContent = state;
    if (state === 'open') {
      byId('chat-protocol').textContent = socket.protocol;
      if (this.wanted !== '') this.berth.send(`join ${this.wanted}`);
    } else if (this.name !== '') {
      this.note('The connection was lost');
      this.name = '';
      this.people.clear();
    }
    this.draw();
  }

  submitName(event) {
    event.preventDefault();
    this.complain('');
    const wanted = byId('chat-name').value.trim();
    if (wanted === '' || wanted === this.name) return;
    if (this.name === '') this.wanted = wanted;
    if (!this.berth.send(`${this.name === '' ? 'join' : 'rename'} ${wanted}`)) this.complain('Not connected. You join when the berth is open.');
  }

  submitText(event) {
    event.preventDefault();
    this.complain('');
    const [to, text] = [byId('chat-to').value, byId('chat-text').value];
    if (text === '') return;
    if (this.berth.send(to === '' ? `say ${text}` : `to ${to} ${text}`)) byId('chat-text').value = '';
    else this.complain('Not connected. The text stays here until the berth is open again.');
  }

  received(data) {
    const [command, rest] = words(String(data), 1);
    const heard = {
      welcome: () => this.welcome(rest),
      here: () => { this.people = new Set(rest.split(' ')); },
      joined: () => this.joined(rest),
      left: () => this.left(rest),
      renamed: () => this.renamed(...words(rest, 1)),
      said: () => this.said(...words(rest, 2)),
      private: () => this.saidPrivately(...words(rest, 3)),
      error: () => this.refused(rest),
    }[command];
    if (!heard) return;
    heard();
    this.draw();
  }

  welcome(name) {
    this.name = this.wanted = name;
    byId('chat-log').replaceChildren();
    this.complain('');
    if (document.activeElement === byId('chat-name') || document.activeElement === byId('chat-join')) {
      byId('chat-form').hidden = false;
      byId('chat-text').focus();
    }
  }

  joined(name) {
    this.people.add(name);
    this.note(`${name} joined`);
  }

  left(name) {
    this.people.delete(name);
    this.note(`${name} left`);
  }

  renamed(before, name) {
    this.people.delete(before);
    this.people.add(name);
    if (before === this.name) this.name = this.wanted = name;
    this.note(`${before} is now ${name}`);
  }

  said(seconds, name, text) {
    this.log('said', seconds, name, text);
  }

  saidPrivately(seconds, from, to, text) {
    this.log('private', seconds, from === this.name ? `to ${to}` : `${from}, privately`, text);
  }

  refused(why) {
    if (this.name === '') this.wanted = '';
    this.complain(why);
  }

  complain(text) {
    byId('chat-error').textContent = text === '' ? '' : text[0].toUpperCase() + text.slice(1);
  }

  note(text) {
    this.append(element('li', 'notice-line', text));
  }

  log(kind, seconds, name, text) {
    const entry = element('li', kind, '');
    const at = new Date(1000 * Number(seconds));
    const time = element('time', '', at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
    time.dateTime = at.toISOString();
    entry.append(time, element('b', '', name), element('span', '', text));
    this.append(entry);
  }

  // A reader who has scrolled back keeps the place.
  append(entry) {
    const list = byId('chat-log');
    const atEnd = list.scrollTop + list.clientHeight > list.scrollHeight - 40;
    list.append(entry);
    while (list.children.length > ChatRoom.longestLog) list.firstChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  draw() {
    byId('chat-form').hidden = this.name === '';
    byId('chat-join').textContent = this.name === '' ? 'Join' : 'Rename';
    const names = [...this.people].sort((a, b) => a.localeCompare(b));
    const drawn = [this.name, ...names].join(' ');
    if (drawn !== this.drawn) this.drawPeople(names);
    this.drawn = drawn;
  }

  drawPeople(names) {
    byId('chat-people').replaceChildren(...names.map((name) => element('li', name === this.name ? 'me' : '', name)));
    byId('chat-count').textContent = names.length ? `Who is here: ${names.length}` : 'Who is here';
    const to = byId('chat-to');
    const chosen = this.people.has(to.value) ? to.value : '';
    const choices = ['', ...names.filter((name) => name !== this.name)];
    to.replaceChildren(...choices.map((name) => new Option(name === '' ? 'everybody' : name, name)));
    to.value = chosen;
  }
}

const address = webSocketUrl(firstAddress());
byId('port').textContent = address.port || (address.protocol === 'wss:' ? '443' : '80');
const room = new ChatRoom();
room.berth.moor(address.href);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && room.berth.state === 'waiting') room.berth.retry();
});
