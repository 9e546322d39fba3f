'use strict';

// The card of fraggle-protocol: a random message, then its sum in 4 bytes, big-endian, over and over.
function fraggleCard() {
  const chart = new Chart(byId('fraggle-chart'), 10000);
  let sum = null;   // of the random message whose sum is awaited
  let right = 0;
  let wrong = 0;
  const paint = painter(() => {
    byId('fraggle-value').textContent = right.toLocaleString('en');
    byId('fraggle-wrong').textContent = wrong.toLocaleString('en');
    const sorted = chart.sorted();
    byId('fraggle-top').textContent = `0 to ${bytes(sorted[sorted.length - 1])}`;
    chart.drawBars(sorted[sorted.length - 1]);
  });
  const received = (data) => {
    const isSum = sum !== null;
    if (isSum) {
      if (data.byteLength === 4 && new DataView(data).getUint32(0) === sum) right += 1;
      else wrong += 1;
      sum = null;
    } else if (data instanceof ArrayBuffer) {
      sum = new Uint8Array(data).reduce((total, byte) => total + byte, 0);
      chart.add(data.byteLength);
    }
    if (isSum) paint();
  };
  return new Card('fraggle', 'fraggle-protocol', { received, opened: () => { sum = null; } });
}
