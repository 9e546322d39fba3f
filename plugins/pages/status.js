'use strict';

const byId = (id) => document.getElementById(id);
const longestWait = 5000;   // ms
let wait = 250;
let last = null;            // the statistics before

function row(texts, numbers) {
  const made = document.createElement('tr');
  made.append(...texts.map((text) => {
    const cell = document.createElement('td');
    cell.textContent = text;
    return cell;
  }), ...numbers.map((number) => {
    const cell = document.createElement('td');
    cell.className = 'number';
    cell.textContent = number.toLocaleString('en');
    return cell;
  }));
  return made;
}

function span(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

/** Members of an object, each in the element of that name. */
function drawCounts(group, counts) {
  for (const [name, count] of Object.entries(counts)) {
    const place = byId(`${group}-${name}`);
    if (place) place.textContent = count.toLocaleString('en');
  }
}

function drawStatistics(now) {
  for (const name of ['connections', 'accepted', 'exchanges']) byId(name).textContent = now[name].toLocaleString('en');
  byId('uptime').textContent = span(now.uptime);
  drawCounts('tls', now.tls);
  drawCounts('refused', now.refused);
  byId('hostname').textContent = now.hostname;
  byId('version').textContent = `Wharf ${now.version}`;
  if (last && now.uptime > last.uptime) {
    byId('rate').textContent = ((now.exchanges - last.exchanges) * 1000 / (now.uptime - last.uptime)).toFixed(1);
  }
  last = now;
  byId('rows').replaceChildren(...now.rows.map((each) => row([each.name || '(none)'], [each.open, each.opened, each.exchanges])));
}

function drawVisitors(list) {
  byId('visitors').replaceChildren(...list.conns.map(({ peer, time, ua }) => (
    row([peer, new Date(1000 * Number(time)).toLocaleTimeString(), ua], []))));
}

function draw(state) {
  byId('state').textContent = byId('state').dataset.state = state;
}

function connect() {
  draw('connecting');
  const socket = new WebSocket(location.href.replace(/^http/, 'ws').replace(/#.*/, ''), 'lws-status');
  socket.onopen = () => {
    wait = 250;
    last = null;
    draw('open');
    socket.send('watch');
  };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.conns) drawVisitors(message);
    else drawStatistics(message);
  };
  socket.onclose = () => {
    draw('closed');
    setTimeout(connect, wait * (0.75 + Math.random() / 4));
    wait = Math.min(2 * wait, longestWait);
  };
}

connect();
