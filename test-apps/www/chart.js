'use strict';

// A time series of the last `span` ms, drawn into an <svg viewBox="0 0 200 48"> that holds a path of class "bars", or one of
// class "trace" and one of class "area".
class Chart {
  static width = 200;
  static height = 48;
  static gap = 1000;   // ms without a sample at which a line is broken

  constructor(svg, span) {
    this.svg = svg;
    this.span = span;
    this.samples = [];
  }

  add(value, time = performance.now()) {
    this.samples.push({ time, value });
    while (this.samples[0].time < time - this.span) this.samples.shift();
  }

  // The values in order of size, for medians and the like.
  sorted() {
    return this.samples.map((sample) => sample.value).sort((a, b) => a - b);
  }

  // Values outside of low..high are drawn at the edge.
  places(low, high, now) {
    return this.samples.map(({ time, value }) => {
      const part = Math.max(0, Math.min((value - low) / (high - low || 1), 1));
      return { time, x: ((Chart.width - 1) * (1 - (now - time) / this.span)).toFixed(1), y: (46 * (1 - part) + 1).toFixed(1) };
    });
  }

  drawBars(high, now = performance.now()) {
    const shape = this.places(0, high, now).map(({ x, y }) => `M${x} ${Chart.height}V${y}`).join('');
    this.svg.querySelector('.bars').setAttribute('d', shape);
  }

  drawTrace(low, high, now = performance.now()) {
    let trace = '';
    let area = '';
    let before = null;
    for (const place of this.places(low, high, now)) {
      const joined = before && place.time - before.time < Chart.gap;
      if (before && !joined) area += `V${Chart.height}Z`;
      trace += `${joined ? 'L' : 'M'}${place.x} ${place.y}`;
      area += joined ? `L${place.x} ${place.y}` : `M${place.x} ${Chart.height}V${place.y}`;
      before = place;
    }
    this.svg.querySelector('.trace').setAttribute('d', trace);
    this.svg.querySelector('.area').setAttribute('d', before ? `${area}V${Chart.height}Z` : '');
  }
}
