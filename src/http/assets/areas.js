// Usage over time: how many events of each window had which value, as stacked areas. A value that
// disappears is a band that ends.

import { ceiling, svg } from '/chart.js';
import { byId, count, keyed, make, setText, short, time, visible } from '/text.js';

const WIDTH = 360;
const HEIGHT = 150;
const LEFT = 44;
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 22;

/** Values with a band of their own; there is a colour for each. All others share one. */
const BANDS = 6;
const OTHER = 'other';

/** Windows on the axis, as many as the server keeps. */
const SLOTS = 360;

/**
 * The windows by their place in time, oldest first. A window without events is not in the list of
 * the server: its place is empty.
 */
function slotsOf(windows) {
  const last = windows.at(-1);
  const lengthMs = last.end_ms - last.start_ms;
  const first = Math.max(windows[0].start_ms, last.start_ms - (SLOTS - 1) * lengthMs);
  const known = new Map(windows.map((window) => [window.start_ms, window]));
  const places = Math.round((last.start_ms - first) / lengthMs) + 1;
  return Array.from({ length: places }, (_, at) => {
    const startMs = first + at * lengthMs;
    return { startMs, window: known.get(startMs) };
  });
}

/** Areas of one dimension inside the figure that has its name. */
export class Areas {
  constructor(dimension) {
    const figure = byId(`areas-${dimension}`);
    Object.assign(this, { dimension, slots: [], bands: [], hovered: null, colours: new Map() });
    this.root = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img' });
    this.root.setAttribute('aria-label', `${dimension} per window: no window is closed yet`);
    this.group = svg('g', {}, this.root);
    this.grid = [0, 0.5, 1].map((share) => {
      const y = this.y(share, 1);
      const place = { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y };
      svg('line', { ...place, class: share === 0 ? 'axis' : 'gridline' }, this.root);
      const label = { x: LEFT - 6, y: y + 3.5, class: 'tick', 'text-anchor': 'end' };
      return { share, label: svg('text', label, this.root) };
    });
    const ends = { y: HEIGHT - 6, class: 'tick' };
    this.begin = svg('text', { ...ends, x: LEFT, 'text-anchor': 'start' }, this.root);
    this.end = svg('text', { ...ends, x: WIDTH - RIGHT, 'text-anchor': 'end' }, this.root);
    this.cursor = svg('line', { y1: TOP, y2: HEIGHT - BOTTOM, class: 'cursor' }, this.root);
    this.cursor.style.display = 'none';
    this.legend = make('ul', 'keys');
    this.when = make('p', 'muted when');
    figure.append(this.root, this.when, this.legend);
    this.root.addEventListener('pointermove', (event) => this.hover(event));
    this.root.addEventListener('pointerleave', () => this.hover(null));
  }

  y(value, top) {
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  }

  x(at) {
    const width = WIDTH - LEFT - RIGHT;
    return LEFT + width * (this.slots.length > 1 ? at / (this.slots.length - 1) : 0.5);
  }

  /** Draws closed windows, oldest first. Open ones are not complete: they would seem to fall. */
  draw(windows) {
    if (windows.length === 0) return;
    this.slots = slotsOf(windows);
    const counts = this.slots.map(({ window }) => new Map(window?.usage[this.dimension] ?? []));
    const sums = new Map();
    for (const of of counts) for (const [name, n] of of) sums.set(name, (sums.get(name) ?? 0) + n);
    const most = [...sums].filter(([name]) => name !== OTHER).sort((a, b) => b[1] - a[1]);
    const names = most.slice(0, BANDS).map(([name]) => name);
    const totals = counts.map((of) => [...of.values()].reduce((sum, n) => sum + n, 0));
    this.bands = names.map((name) => ({
      name, values: counts.map((of) => of.get(name) ?? 0), colour: `a${this.colourOf(name, names)}`,
    }));
    const rest = totals.map((total, at) => (
      this.bands.reduce((left, { values }) => left - values[at], total)));
    if (rest.some((n) => n > 0)) {
      this.bands.push({ name: OTHER, values: rest, colour: 'rest' });
    }
    this.paint(ceiling(Math.max(0, ...totals)));
    this.tell();
  }

  /** A name keeps its colour for as long as it is shown. */
  colourOf(name, names) {
    for (const known of this.colours.keys()) {
      if (!names.includes(known)) this.colours.delete(known);
    }
    if (!this.colours.has(name)) {
      const taken = new Set(this.colours.values());
      this.colours.set(name, [...Array(BANDS).keys()].find((colour) => !taken.has(colour)));
    }
    return this.colours.get(name);
  }

  paint(top) {
    const lower = this.slots.map(() => 0);
    const paths = this.bands.map(({ values, colour }) => {
      const place = (value, at) => `${this.x(at).toFixed(1)} ${this.y(value, top).toFixed(2)}`;
      const below = lower.map(place).reverse();
      values.forEach((n, at) => { lower[at] += n; });
      return { colour, d: `M${[...lower.map(place), ...below].join('L')}Z` };
    });
    keyed(this.group, paths, ({ colour }) => colour, ({ colour }) => (
      svg('path', { class: `band ${colour}` })), (path, { d }) => path.setAttribute('d', d));
    for (const { share, label } of this.grid) setText(label, short(share * top));
    setText(this.begin, time(this.slots[0].startMs).slice(11));
    setText(this.end, this.slots.length > 1 ? time(this.slots.at(-1).startMs).slice(11) : '');
  }

  /** Writes the legend, and the same as a label for screen readers. */
  tell() {
    const at = this.hovered ?? this.slots.length - 1;
    setText(this.when, `Window from ${time(this.slots[at].startMs)} UTC`);
    const key = ({ name, colour }) => `${colour} ${name}`;
    keyed(this.legend, this.bands, key, ({ name, colour }) => {
      const entry = make('li', `key ${colour}`);
      const label = make('span', 'muted', visible(name));
      label.title = name;
      entry.append(label, make('b'));
      return entry;
    }, (entry, { values }) => setText(entry.lastElementChild, count(values[at])));
    const parts = this.bands.map(({ name, values }) => (
      `${visible(name)} newest ${count(values.at(-1))}, highest ${count(Math.max(...values))}`));
    const label = `${this.dimension} per window, ${this.slots.length} windows`;
    this.root.setAttribute('aria-label', `${label}: ${parts.join('; ')}`);
  }

  hover(event) {
    this.hovered = null;
    this.cursor.style.display = 'none';
    if (this.slots.length === 0) return;
    if (event) {
      const box = this.root.getBoundingClientRect();
      const place = ((event.clientX - box.left) / box.width) * WIDTH;
      const share = (place - LEFT) / (WIDTH - LEFT - RIGHT);
      const last = this.slots.length - 1;
      this.hovered = Math.min(last, Math.max(0, Math.round(share * last)));
      this.cursor.setAttribute('x1', this.x(this.hovered));
      this.cursor.setAttribute('x2', this.x(this.hovered));
      this.cursor.style.display = '';
    }
    this.tell();
  }
}
