// The lists and tables of the page: each function shows part of a snapshot.

import * as text from '/text.js';
import { byId, fill, keyed, make, row, setText, visible } from '/text.js';

/** Values of a dimension that the page shows; the API has more. */
const BARS = 8;

/** The most frequent values of each dimension, in the list that has its name. */
export function usage(prefix, dimensions) {
  for (const [name, values] of Object.entries(dimensions)) bars(byId(prefix + name), values);
}

/** The most frequent values with their share of the highest one. */
function bars(list, values) {
  const shown = values.slice(0, BARS);
  const highest = Math.max(1, ...shown.map(([, n]) => n));
  keyed(list, shown, ([name]) => name, ([name]) => {
    const item = make('li');
    const label = make('span', 'name', visible(name));
    label.title = name;
    const track = make('span', 'track');
    track.setAttribute('aria-hidden', 'true');
    track.append(make('span', 'bar'));
    item.append(label, make('span', 'n'), track);
    return item;
  }, (item, [, n]) => {
    setText(item.children[1], text.count(n));
    item.children[2].firstElementChild.style.width = `${(100 * n) / highest}%`;
  });
  list.classList.toggle('none', shown.length === 0);
}

function stateOf(window) {
  if (window.state === 'open') return 'Open';
  const revised = window.revision > 1 ? `, revision ${window.revision}` : '';
  return `Closed${revised}${window.complete ? '' : ', incomplete'}`;
}

export function windows(list, onDetails) {
  keyed(byId('windows').tBodies[0], list, (window) => window.start_ms, (window) => {
    const tr = row(['', '', 'n', 'n', 'n', 'n']);
    const button = make('button', 'small', 'Details');
    button.type = 'button';
    button.setAttribute('aria-label', `Details of the window from ${text.time(window.start_ms)}`);
    button.addEventListener('click', () => onDetails(window.start_ms));
    tr.lastElementChild.append(button);
    return tr;
  }, (tr, window) => {
    tr.dataset.state = window.state;
    fill(tr, [
      text.time(window.start_ms), stateOf(window), text.count(window.total_events),
      text.count(window.late_events), text.count(window.unique_users),
    ]);
  });
  byId('windows-empty').hidden = list.length > 0;
}

/** Shows one window with its values. */
export function detail(window) {
  setText(byId('detail-title'), `Window from ${text.time(window.start_ms)} UTC`);
  const seconds = (window.end_ms - window.start_ms) / 1000;
  text.facts(byId('detail-facts'), [
    ['State', stateOf(window)],
    ['Length', text.span(window.end_ms - window.start_ms)],
    ['Events', text.count(window.total_events)],
    ['Per second', text.rate(window.total_events / seconds)],
    ['Late', text.count(window.late_events)],
    ['Users (est.)', text.count(window.unique_users)],
  ]);
  usage('detail-', window.usage);
  if (!byId('detail').open) byId('detail').showModal();
}

export function deadLetters(list) {
  keyed(byId('reasons'), list, (letters) => letters.reason, (letters) => {
    const item = make('li');
    const details = make('details');
    const summary = make('summary');
    const name = letters.reason.replaceAll('_', ' ');
    summary.append(make('span', 'name', name), make('span', 'n'));
    details.append(summary, make('p', 'why'), make('p', 'muted'), make('pre'));
    item.append(details);
    return item;
  }, (item, { count, sample }) => {
    setText(item.querySelector('.n'), text.count(count));
    const details = item.querySelector('details');
    // A sample that the user has opened stays.
    if (!sample || details.open) return;
    setText(details.children[1], sample.detail);
    const size = text.bytes(sample.value_bytes);
    setText(details.children[2], `Partition ${sample.partition}, offset ${sample.offset}, ${size}`);
    setText(details.children[3], sample.value);
  });
  byId('reasons-empty').hidden = list.length > 0;
}

export function softProblems(list) {
  const key = ({ field, problem }) => `${field} ${problem}`;
  keyed(byId('soft').tBodies[0], list, key, () => row(['', '', 'n']), (tr, soft) => {
    fill(tr, [soft.field, soft.problem.replaceAll('_', ' '), text.count(soft.count)]);
  });
  byId('soft-empty').hidden = list.length > 0;
  byId('soft').hidden = list.length === 0;
}

const difference = (sums) =>
  sums.events_in - sums.processed - sums.dead_lettered - sums.tombstones;

function activity(partition) {
  if (partition.held_by_transaction) return 'Held by an open transaction';
  if (!partition.owned) return 'Of another instance';
  return partition.idle ? 'Idle' : 'Reading';
}

export function partitions(list) {
  const classes = ['n', 'n', 'n', 'n', 'n', 'n', 'n', 'n', '', ''];
  const key = ({ partition }) => partition;
  keyed(byId('partitions').tBodies[0], list, key, () => row(classes), (tr, partition) => {
    const missing = difference(partition);
    tr.dataset.state = missing === 0 ? '' : 'bad';
    fill(tr, [
      String(partition.partition), text.count(partition.next_offset),
      text.known(partition.lag_records), text.count(partition.events_in),
      text.count(partition.processed), text.count(partition.dead_lettered),
      text.count(partition.tombstones), text.count(missing),
      partition.watermark_ms === null ? '–' : text.time(partition.watermark_ms),
      activity(partition),
    ]);
  });
  byId('partitions-empty').hidden = list.length > 0;
  byId('partitions').hidden = list.length === 0;
}

/** The instances of the group, as `/api/v1/cluster` answers. */
export function instances(cluster) {
  const list = cluster.instances;
  const classes = ['', '', 'n', 'n', 'n', '', ''];
  const key = (of) => of.instance_id;
  keyed(byId('instances').tBodies[0], list, key, () => row(classes), (tr, of) => {
    tr.dataset.state = of.silent ? 'bad' : '';
    const state = of.merges ? 'Publishes windows' : 'Reads';
    const numbers = of.partitions.map(({ partition }) => partition).join(', ');
    fill(tr, [
      of.instance_id, of.silent ? 'Silent' : state, text.count(of.partitions.length),
      text.count(of.epoch), text.span(cluster.at_ms - of.written_at_ms),
      of.about?.version ?? '–', of.about?.http ?? '–',
    ]);
    tr.children[2].title = numbers;
  });
  byId('instances-empty').hidden = list.length > 0;
  byId('instances').hidden = list.length === 0;
  const wrong = [];
  const unowned = cluster.unowned_partitions;
  if (unowned.length > 0) wrong.push(`Nobody writes partition ${unowned.join(', ')}.`);
  if (cluster.differences.length > 0) {
    wrong.push(`Instances differ in ${cluster.differences.join(', ')}.`);
  }
  setText(byId('instances-problem'), wrong.join(' '));
}

/** In = processed + dead letters + tombstones. */
export function audit(totals) {
  const missing = difference(totals);
  const holds = missing === 0;
  byId('audit').dataset.state = holds ? 'good' : 'bad';
  const parts = [
    [totals.events_in, 'in'], [totals.processed, 'processed'],
    [totals.dead_lettered, 'dead-lettered'], [totals.tombstones, 'tombstones'],
  ];
  const signs = ['', holds ? '=' : '≠', '+', '+'];
  const shown = parts.map(([n, name], at) => ({ n, name, sign: signs[at] }));
  keyed(byId('audit-sum'), shown, ({ name }) => name, ({ name }) => {
    const part = make('span', 'part');
    part.append(make('span', 'sign'), make('b'), make('span', 'muted', name));
    return part;
  }, (part, { n, sign }) => {
    setText(part.children[0], sign);
    setText(part.children[1], text.count(n));
  });
  const wrong = missing > 0 ? `${text.count(missing)} records are missing.`
    : `${text.count(-missing)} records are counted twice.`;
  const verdict = holds ? '✓ No record is lost, none is counted twice.' : `✗ ${wrong}`;
  setText(byId('audit-verdict'), verdict);
}

const STAGES = [
  ['end_to_end', 'End to end'], ['kafka_queue', 'Kafka to worker'],
  ['worker_batch', 'Worker batch'], ['sink_epoch', 'Sink epoch'], ['commit', 'Commit'],
];

export function stages(latency) {
  const classes = ['', 'n', 'n', 'n', 'n', 'n'];
  keyed(byId('stages').tBodies[0], STAGES, ([id]) => id, () => row(classes), (tr, [id, name]) => {
    const stage = latency[id];
    const values = [stage.p50_ms, stage.p90_ms, stage.p99_ms, stage.p999_ms, stage.max_ms];
    fill(tr, [name, ...values.map((ms) => (stage.count === 0 ? '–' : text.millis(ms)))]);
  });
}

export function process(about, snapshot) {
  const { process: counts, last_epoch: epoch } = snapshot;
  const uptime = snapshot.started_at_ms > 0 ? snapshot.at_ms - snapshot.started_at_ms : 0;
  text.facts(byId('facts'), [
    ['Version', about.version],
    ['Uptime', text.span(uptime)],
    ['Delivery', about.delivery],
    ['Workers', text.count(about.workers)],
    ['Instance', about.instance_id],
    ['Last epoch', epoch ? text.count(epoch.epoch) : '–'],
    ['Its commit', epoch ? text.millis(epoch.commit_ms) : '–'],
    ['Records in', text.count(counts.events_in)],
    ['Bytes in', text.bytes(counts.bytes_in)],
    ['Epochs', text.count(counts.epochs)],
    ['Rollbacks', text.count(counts.rollbacks)],
    ['Window records', text.count(counts.window_records)],
    ['Revisions', text.count(counts.revisions)],
  ]);
}
