'use strict';

const byId = (id) => document.getElementById(id);
let request = null;
let startedAt = 0;

function bytes(count) {
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${(count / 1000).toFixed(1)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}

function cell(text, kind = 'td') {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

function row(part) {
  const made = document.createElement('tr');
  const size = cell(part.size);
  size.className = 'number';
  const [sum, content] = [cell(''), cell(part.text ?? '')];
  sum.className = 'sum';
  sum.append(cell(part.crc32, 'code'));
  if (part.hex !== undefined) content.append(cell(part.hex, 'code'));
  made.append(cell(part.name), cell(part.file ?? ''), cell(part.type ?? ''), size, sum, content);
  return made;
}

function complain(text) {
  byId('upload-error').textContent = text;
}

function progressed(event) {
  const seconds = (performance.now() - startedAt) / 1000;
  byId('progress').max = event.total;
  byId('progress').value = event.loaded;
  const rate = bytes(event.loaded / Math.max(seconds, 0.001));
  byId('sent').textContent = `${bytes(event.loaded)} of ${bytes(event.total)}, ${rate} a second`;
}

function show(answer) {
  byId('parts').replaceChildren(...answer.parts.map(row));
  byId('result').hidden = false;
  byId('result').scrollIntoView({ block: 'nearest' });
}

function over(text) {
  request = null;
  byId('upload').disabled = false;
  byId('cancel').hidden = true;
  complain(text);
}

function answered() {
  const { status, response } = request;
  over(status === 200 ? '' : `${status}: ${response?.error ?? 'the upload was refused'}`);
  if (status === 200) show(response);
}

function send(event) {
  event.preventDefault();
  if (request) return;
  const form = event.currentTarget;
  const files = [...byId('file').files];
  const limit = Number(byId('limits').dataset.limit);
  if (files.reduce((sum, file) => sum + file.size, 0) > limit) {
    complain(`More than ${bytes(limit)} is refused here.`);
    return;
  }
  const data = new FormData(form);
  data.append('upload', byId('upload').value);
  complain('');
  byId('result').hidden = true;
  byId('transfer').hidden = byId('cancel').hidden = false;
  byId('upload').disabled = true;
  startedAt = performance.now();
  request = new XMLHttpRequest();
  request.upload.onprogress = progressed;
  request.onload = answered;
  request.onerror = () => over('The connection broke.');
  request.onabort = () => over('Cancelled.');
  request.open('POST', location.href);
  request.setRequestHeader('Accept', 'application/json');
  request.responseType = 'json';
  request.send(data);
}

byId('upload-form')?.addEventListener('submit', send);
byId('cancel')?.addEventListener('click', () => request?.abort());
