// The dashboard: follows the server's stream and passes each snapshot to the parts of the page.

import { follow, forgetToken, get, setToken } from '/api.js';
import { Areas } from '/areas.js';
import { Chart } from '/chart.js';
import * as panels from '/panels.js';
import { byId, count, known, millis, rate, setText, short, span, time } from '/text.js';

/** Age from which a snapshot counts as old: the server makes two a second. */
const STALE_MS = 5000;

/** Points of history that the page keeps, as many as the server has. */
const POINTS = 600;

/** Windows on a page of the table, as many as an event of the stream has. */
const WINDOWS_SHOWN = 12;

/** Windows that the page knows, as many as the server has. */
const WINDOWS_KEPT = 380;

/** Time between two questions for what is not in the stream. */
const ASK_MS = 3000;

const areas = ['locations', 'devices', 'versions'].map((dimension) => new Areas(dimension));

const charts = [
  new Chart(byId('chart-rate'), [
    { name: 'rate', className: 'one', of: (point) => point.events_per_second },
  ], short),
  new Chart(byId('chart-lag'), [
    { name: 'lag', className: 'one', of: (point) => point.lag_records },
  ], short),
  new Chart(byId('chart-latency'), [
    { name: '50 %', className: 'one', of: (point) => point.p50_ms },
    { name: '99 %', className: 'two', of: (point) => point.p99_ms },
  ], millis),
];

const state = {
  history: [],
  startedAtMs: null,
  version: null,
  isAway: true,
  /** When the snapshot last changed, by this page's clock. */
  changedAt: 0,
  atMs: null,
  /** Older windows that the table shows instead of the newest ones. */
  older: null,
  newestWindows: [],
  /** Windows with their values, by their start. */
  windows: new Map(),
  /** The start from which on they are asked for again: that of the first one that is open. */
  againFromMs: null,
  askedAt: -ASK_MS,
};

function showHealth(kind, sentence) {
  byId('health').dataset.state = kind;
  setText(byId('health-text'), sentence);
}

function showBanner(sentence) {
  byId('banner').hidden = sentence === '';
  setText(byId('banner'), sentence);
}

/** Shows the health, in the tab's title as well when something is wrong. */
function showState(health) {
  const { healthy, ready, reason } = health;
  const sentence = reason.charAt(0).toUpperCase() + reason.slice(1);
  showHealth(healthy ? (ready ? 'good' : 'wait') : 'bad', sentence);
  document.title = healthy ? 'logintide' : '⚠ logintide';
}

async function loadHistory() {
  try {
    state.history = (await get('/api/v1/history')).points;
  } catch {
    // The stream works without the history, and brings a point a second.
    state.history = [];
  }
}

function showTiles(snapshot) {
  const { totals, latency } = snapshot;
  const { end_to_end: end } = latency;
  setText(byId('rate'), rate(snapshot.events_per_second));
  setText(byId('rate-note'), `${count(totals.events_in)} records in total`);
  setText(byId('lag'), known(snapshot.lag_records));
  setText(byId('p99'), end.count === 0 ? '–' : millis(end.p99_ms));
  setText(byId('p99-note'), end.count === 0 ? 'no record in the last minute'
    : `median ${millis(end.p50_ms)}`);
  const delay = snapshot.watermark_delay_ms;
  setText(byId('watermark'), delay === null ? '–' : `${span(Math.abs(delay))}`);
  setText(byId('watermark-note'), delay === null ? 'no event yet'
    : `${delay < 0 ? 'ahead of' : 'behind'} the clock`);
  setText(byId('processed'), count(totals.processed));
  setText(byId('processed-note'), `${count(totals.late)} too late for a window`);
  setText(byId('dead'), count(totals.dead_lettered));
  const share = totals.events_in === 0 ? 0 : (100 * totals.dead_lettered) / totals.events_in;
  setText(byId('dead-note'), `${Number(share.toPrecision(2))} % of all records`);
}

function showWindows(snapshot) {
  panels.windows(state.older ?? state.newestWindows, showDetail);
  const open = snapshot.open_window_count;
  setText(byId('windows-note'), state.older ? 'Older windows; not updated'
    : `${count(open)} open`);
  byId('newest').hidden = state.older === null;
}

function showHistory(event) {
  const { point } = event;
  if (point && (state.history.at(-1)?.at_ms ?? 0) < point.at_ms) {
    state.history = [...state.history, point].slice(-POINTS);
  }
  for (const chart of charts) chart.draw(state.history, event.snapshot.at_ms);
}

/** Asks for the instances and for usage over time, which are not in the stream. */
async function askForMore() {
  if (performance.now() - state.askedAt < ASK_MS) return;
  state.askedAt = performance.now();
  const from = state.againFromMs === null ? '' : `&from=${state.againFromMs / 1000}`;
  try {
    const [cluster, { windows }] = await Promise.all([
      get('/api/v1/cluster'), get(`/api/v1/windows?limit=${WINDOWS_KEPT}${from}`),
    ]);
    panels.instances(cluster);
    for (const window of windows) state.windows.set(window.start_ms, window);
    const kept = [...state.windows.values()].sort((a, b) => a.start_ms - b.start_ms);
    const dropped = kept.splice(0, Math.max(0, kept.length - WINDOWS_KEPT));
    for (const { start_ms: startMs } of dropped) state.windows.delete(startMs);
    const closed = kept.filter((window) => window.state === 'closed');
    const again = kept.find((window) => window.state === 'open') ?? kept.at(-1);
    state.againFromMs = again?.start_ms ?? null;
    for (const area of areas) area.draw(closed);
  } catch {
    // The stream says whether the server is away; these are asked for again.
  }
}

async function onEvent(event) {
  const { about, health, snapshot } = event;
  if (state.version !== null && state.version !== about.version) {
    // A new version of the program may have another page.
    window.location.reload();
    return;
  }
  state.version = about.version;
  byId('login').hidden = true;
  byId('board').hidden = false;
  document.body.classList.remove('away');
  if (state.isAway || state.startedAtMs !== snapshot.started_at_ms) {
    state.isAway = false;
    state.startedAtMs = snapshot.started_at_ms;
    state.windows.clear();
    state.againFromMs = null;
    state.askedAt = -ASK_MS;
    await loadHistory();
  }
  if (state.atMs !== snapshot.at_ms) {
    state.atMs = snapshot.at_ms;
    state.changedAt = performance.now();
  }
  const age = performance.now() - state.changedAt;
  showBanner(age < STALE_MS || snapshot.at_ms === 0 ? ''
    : `The pipeline has not reported for ${span(age)}; these numbers are old.`);
  showState(health);
  setText(byId('about'), `${about.input_topic}, group ${about.group_id}`);
  state.newestWindows = event.windows;
  show(event);
  void askForMore();
}

function show(event) {
  const { about, snapshot } = event;
  showTiles(snapshot);
  showHistory(event);
  showWindows(snapshot);
  panels.audit(snapshot.totals);
  const since = snapshot.since_ms === null ? 'the start' : `${time(snapshot.since_ms)} UTC`;
  setText(byId('audit-since'), `The group since ${since}`);
  setText(byId('usage-title'), `Most frequent values since ${since}`);
  panels.usage('', snapshot.usage);
  panels.deadLetters(snapshot.dead_letters);
  panels.softProblems(snapshot.soft_problems);
  panels.partitions(snapshot.partitions);
  panels.stages(snapshot.latency);
  panels.process(about, snapshot);
  if (snapshot.at_ms > 0) {
    setText(byId('foot'), `As of ${time(snapshot.at_ms)} UTC. Counts are of committed epochs.`);
  }
}

function onAway(reason) {
  state.isAway = true;
  document.body.classList.add('away');
  showHealth('bad', 'Server unreachable');
  document.title = '⚠ logintide';
  const old = byId('board').hidden ? '' : ' The numbers below are the last ones it sent.';
  showBanner(`${reason}${old} Retrying…`);
}

/** Asks the user for the token, and returns once there is one. */
function onLocked(wasRefused) {
  forgetToken();
  byId('board').hidden = true;
  byId('login').hidden = false;
  showBanner('');
  showHealth('wait', 'Locked');
  const problem = wasRefused ? 'The token is wrong. Ask the server’s operator for it.' : '';
  setText(byId('login-problem'), problem);
  byId('token').focus();
  return new Promise((resolve) => {
    byId('login-form').addEventListener('submit', (event) => {
      event.preventDefault();
      setToken(byId('token').value.trim());
      byId('token').value = '';
      resolve();
    }, { once: true });
  });
}

async function showDetail(startMs) {
  try {
    panels.detail(await get(`/api/v1/windows/${startMs / 1000}`));
  } catch (error) {
    showBanner(error.status === 404 ? 'This window is no longer kept.' : 'No answer; try again.');
  }
}

async function showOlder() {
  const shown = state.older ?? state.newestWindows;
  const last = shown.at(-1);
  if (!last) return;
  try {
    const path = `/api/v1/windows?limit=${WINDOWS_SHOWN}&to=${last.start_ms / 1000}`;
    const { windows, more } = await get(path);
    if (windows.length > 0) state.older = windows;
    byId('older').disabled = windows.length === 0 || !more;
    panels.windows(state.older ?? state.newestWindows, showDetail);
    byId('newest').hidden = state.older === null;
  } catch {
    showBanner('No answer; try again.');
  }
}

byId('detail-close').addEventListener('click', () => byId('detail').close());
byId('older').addEventListener('click', showOlder);
byId('newest').addEventListener('click', () => {
  state.older = null;
  byId('older').disabled = false;
  byId('newest').hidden = true;
  byId('older').focus();
  panels.windows(state.newestWindows, showDetail);
});

follow({ onEvent, onAway, onLocked });
