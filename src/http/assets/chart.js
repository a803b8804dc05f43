// Small line charts of at most the last ten minutes, as SVG. Colours are CSS classes, so that a
// change between light and dark needs no redrawing.

import { make, setText } from '/text.js';

const NS = 'http://www.w3.org/2000/svg';
const WIDTH = 360;
const HEIGHT = 150;
const LEFT = 44;
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 22;

/** Choices for the minutes on the axis: the smallest that holds all points is used. */
const SPANS = [1, 2, 5, 10];
const MINUTE_MS = 60000;

/** An element of SVG. */
export function svg(tag, attributes, parent) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent?.append(element);
  return element;
}

/** The next round number, where the axis ends. */
export function ceiling(highest) {
  if (!(highest > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 2.5, 5, 10].find((step) => step * unit >= highest) * unit;
}

const x = (share) => LEFT + (WIDTH - LEFT - RIGHT) * share;
const y = (value, top) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);

/**
 * A chart inside `figure`. Each series is `{name, className, of}`, `of` takes its value from a
 * point of the history, null where it is not known; `format` writes a value for people.
 */
export class Chart {
  constructor(figure, series, format) {
    const orDash = (value) => (value === null ? '–' : format(value));
    Object.assign(this, { series, format: orDash, points: [], hovered: null });
    this.legend = make('p', 'legend');
    this.values = series.map(({ name, className }) => {
      const entry = make('span', `key ${className}`);
      const value = make('b');
      if (series.length > 1) entry.append(make('span', 'muted', `${name} `));
      entry.append(value);
      this.legend.append(entry);
      return value;
    });
    this.when = make('span', 'muted when');
    this.legend.append(this.when);
    this.title = figure.querySelector('figcaption').textContent.replace(/\s+/g, ' ');
    this.root = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img' });
    this.grid = [0, 0.5, 1].map((share) => {
      const line = { x1: LEFT, x2: WIDTH - RIGHT, y1: y(share, 1), y2: y(share, 1) };
      svg('line', { ...line, class: share === 0 ? 'axis' : 'gridline' }, this.root);
      const label = { x: LEFT - 6, y: y(share, 1) + 3.5, class: 'tick', 'text-anchor': 'end' };
      return { share, label: svg('text', label, this.root) };
    });
    const ends = { y: HEIGHT - 6, class: 'tick' };
    this.begin = svg('text', { ...ends, x: x(0), 'text-anchor': 'start' }, this.root);
    svg('text', { ...ends, x: x(1), 'text-anchor': 'end' }, this.root).textContent = 'now';
    this.area = series.length === 1 ? svg('path', { class: 'area' }, this.root) : null;
    this.lines = series.map(({ className }) => (
      svg('path', { class: `line ${className}` }, this.root)));
    this.cursor = svg('line', { y1: TOP, y2: HEIGHT - BOTTOM, class: 'cursor' }, this.root);
    this.cursor.style.display = 'none';
    figure.append(this.legend, this.root);
    this.root.addEventListener('pointermove', (event) => this.hover(event));
    this.root.addEventListener('pointerleave', () => this.hover(null));
  }

  /** Draws these points, the last of which is at `endMs`. */
  draw(points, endMs) {
    const age = points.length > 0 ? (endMs - points[0].at_ms) / MINUTE_MS : 0;
    const minutes = SPANS.find((span) => span >= age) ?? SPANS.at(-1);
    setText(this.begin, `${minutes} min ago`);
    this.spanMs = minutes * MINUTE_MS;
    this.endMs = endMs;
    // An unknown value leaves a gap.
    const isKnown = (point) => this.series.every(({ of }) => of(point) !== null);
    this.points = points.filter((point) => point.at_ms > endMs - this.spanMs && isKnown(point));
    const all = this.series.map(({ of }) => this.points.map(of));
    const top = ceiling(Math.max(0, ...all.flat()));
    for (const { share, label } of this.grid) setText(label, this.format(share * top));
    this.series.forEach((_, at) => {
      const known = this.points.map((point, n) => ({ point, value: all[at][n] }))
        .filter(({ value }) => value !== null);
      const steps = known.map(({ point, value }, n) => {
        const place = `${this.place(point)} ${y(value, top).toFixed(1)}`;
        // Points several seconds apart are not joined: the server was away, or had no value.
        const joined = n > 0 && point.at_ms - known[n - 1].point.at_ms < 5000;
        return `${joined ? 'L' : 'M'}${place}`;
      });
      this.lines[at].setAttribute('d', steps.join(''));
      if (this.area && steps.length > 0) {
        const floor = y(0, 1);
        const [first, last] = [known[0].point, known.at(-1).point];
        const outline = steps.join('').replaceAll('M', 'L').slice(1);
        const begin = `M${this.place(first)} ${floor}`;
        const end = `L${this.place(last)} ${floor}Z`;
        this.area.setAttribute('d', `${begin}L${outline}${end}`);
      }
    });
    this.tell(all);
  }

  /** The place of a point on the time axis. */
  place(point) {
    return x(1 - (this.endMs - point.at_ms) / this.spanMs).toFixed(1);
  }

  /** Writes the legend, and the same as a label for screen readers. */
  tell(all) {
    const chosen = this.hovered ?? this.points.at(-1);
    this.series.forEach(({ of }, at) => {
      setText(this.values[at], chosen ? this.format(of(chosen)) : '–');
    });
    const ago = chosen ? Math.round((this.endMs - chosen.at_ms) / 1000) : 0;
    setText(this.when, this.hovered ? `${ago} s ago` : '');
    const parts = this.series.map(({ name }, at) => {
      const highest = Math.max(0, ...all[at]);
      const now = all[at].length > 0 ? all[at].at(-1) : 0;
      return `${name} now ${this.format(now)}, highest ${this.format(highest)}`;
    });
    this.root.setAttribute('aria-label', `${this.title}: ${parts.join('; ')}`);
  }

  hover(event) {
    this.hovered = null;
    this.cursor.style.display = 'none';
    if (event && this.points.length > 0) {
      const box = this.root.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * WIDTH;
      const distance = (point) => Math.abs(this.place(point) - at);
      this.hovered = this.points.reduce((a, b) => (distance(b) < distance(a) ? b : a));
      const place = this.place(this.hovered);
      this.cursor.setAttribute('x1', place);
      this.cursor.setAttribute('x2', place);
      this.cursor.style.display = '';
    }
    if (this.points.length > 0) this.tell(this.series.map(({ of }) => this.points.map(of)));
  }
}
