// Turns values into text, and text into elements. Everything from the server passes through here as
// text, never as markup.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** A count with separated thousands; a dash when it is not known. */
export const count = (n) => (n === null ? '–' : whole.format(n));

/** A count, or a dash when it is not known. */
export const known = (n) => (n === null ? '–' : count(n));

/** A rate, with tenths only where they matter. */
export const rate = (n) => (n < 100 ? tenths : whole).format(n);

/** A count that fits an axis: 1.2k, 3M. */
export function short(n) {
  for (const [size, unit] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']]) {
    if (n >= size) return `${Number((n / size).toPrecision(3))}${unit}`;
  }
  return `${Number(n.toPrecision(3))}`;
}

/** A time in milliseconds, in the unit that reads best. */
export function millis(ms) {
  if (ms === 0) return '0 ms';
  if (ms < 10) return `${Number(ms.toPrecision(2))} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120000) return `${Number((ms / 1000).toPrecision(3))} s`;
  return span(ms);
}

/** A long time, in its two largest units. */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = units.findIndex(([size]) => seconds >= size);
  if (first < 0) return '0 s';
  let rest = seconds;
  const parts = units.slice(first, first + 2).map(([size, unit]) => {
    const n = Math.floor(rest / size);
    rest -= n * size;
    return n > 0 ? `${whole.format(n)} ${unit}` : '';
  });
  return parts.filter(Boolean).join(' ');
}

/** Bytes, in the unit that reads best. */
export function bytes(n) {
  const units = [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [1024, 'KiB']];
  for (const [size, unit] of units) {
    if (n >= size) return `${Number((n / size).toPrecision(3))} ${unit}`;
  }
  return `${n} B`;
}

/** Date and time, UTC, to the second. */
export function time(ms) {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return `${ms} ms`;
  return date.toISOString().slice(0, 19).replace('T', ' ');
}

/** A name; an invisible one is put in quotation marks. */
export const visible = (name) => (/^[\s\p{C}]*$/u.test(name) ? `“${name}”` : name);

export const byId = (id) => document.getElementById(id);

/** Changes text only where it differs, so that a screen reader announces only changes. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** An element with classes and text. */
export function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/**
 * Keeps one child per item, in their order. A child belongs to a key: while its numbers change, it
 * keeps the focus and stays folded out.
 */
export function keyed(parent, items, keyOf, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = new Set(items.map((item) => String(keyOf(item))));
  // Done first, because an element that is moved loses the focus.
  for (const [key, child] of known) if (!wanted.has(key)) child.remove();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = known.get(key);
    if (!child) {
      child = create(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
}

/** A table row's cells; `columns` are their classes. */
export function row(columns, heading = 0) {
  const tr = make('tr');
  columns.forEach((className, at) => {
    const cell = make(at === heading ? 'th' : 'td', className);
    if (at === heading) cell.scope = 'row';
    tr.append(cell);
  });
  return tr;
}

/** Sets the texts of a row's first cells. */
export function fill(tr, texts) {
  texts.forEach((text, at) => setText(tr.children[at], text));
}

/** Terms and their values, in a `dl`. */
export function facts(list, pairs) {
  keyed(list, pairs, ([term]) => term, ([term]) => {
    const pair = make('div');
    pair.append(make('dt', '', term), make('dd'));
    return pair;
  }, (pair, [, text]) => setText(pair.lastElementChild, text));
}
