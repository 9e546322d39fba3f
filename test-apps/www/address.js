'use strict';

const byId = (id) => document.getElementById(id);

// Takes what people type ("localhost:7681", an http link) and gives a WebSocket URL, or throws with a text for the reader.
function webSocketUrl(text) {
  const typed = text.trim();
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(typed) ? typed : `ws://${typed}`;
  let url;
  try {
    url = new URL(full.replace(/^http/i, 'ws'));
  } catch {
    throw new Error('Not an address. Write it like ws://127.0.0.1:7681/');
  }
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw new Error('The address has to start with ws:// or wss://');
  if (location.protocol === 'https:' && url.protocol === 'ws:') throw new Error('A page over https can only use wss:// addresses');
  url.hash = '';
  return url;
}

// Storage may be switched off, and for some browsers a file has none.
const memory = {
  key: 'wharf-address',
  read() {
    try { return localStorage.getItem(this.key); } catch { return null; }
  },
  write(text) {
    try { localStorage.setItem(this.key, text); } catch { /* remembered next time, or not */ }
  },
};

const fromFile = location.protocol === 'file:';

function firstAddress() {
  if (fromFile) return memory.read() || 'ws://127.0.0.1:7681/';
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/`;
}
