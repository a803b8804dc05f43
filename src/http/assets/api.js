// Asks the server. The token stays in this tab, and goes out in a header only, so that no address,
// log or history has it. (EventSource cannot send headers: the stream is read with fetch.)

const TOKEN_KEY = 'logintide.token';

/** Waiting for the server's next word, longer than the second between two events. */
const SILENCE_MS = 5000;

/** Pauses between attempts to reach it; the last one repeats. */
const RETRY_MS = [500, 1000, 2000];

/** Between questions while the server has no place for another stream. */
const POLL_MS = 5000;

/** An answer other than the asked one. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const setToken = (token) => sessionStorage.setItem(TOKEN_KEY, token);
export const forgetToken = () => sessionStorage.removeItem(TOKEN_KEY);
export const hasToken = () => sessionStorage.getItem(TOKEN_KEY) !== null;

async function ask(path, signal) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  const answer = await fetch(path, { headers, signal, cache: 'no-store', credentials: 'omit' });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, told.error ?? `status ${answer.status}`);
}

/** The JSON at `path`. */
export async function get(path) {
  return (await ask(path, AbortSignal.timeout(SILENCE_MS))).json();
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Reads one stream until it ends; throws when it breaks or falls silent. */
async function readStream(onEvent) {
  const abort = new AbortController();
  let timer = 0;
  const rearm = () => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(), SILENCE_MS);
  };
  rearm();
  try {
    const answer = await ask('/api/v1/stream', abort.signal);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rearm();
      text += value;
      const events = text.split('\n\n');
      text = events.pop();
      // Of several that came together, for example to a page in the background, the last is enough.
      const data = events.at(-1)?.split('\n').find((line) => line.startsWith('data: '));
      if (data) await onEvent(JSON.parse(data.slice(6)));
    }
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}

/** The same as an event, from ordinary answers. */
async function poll(onEvent) {
  const [status, listed] = await Promise.all([
    get('/api/v1/status'), get('/api/v1/windows?limit=12'),
  ]);
  await onEvent({ ...status, windows: listed.windows, point: null });
}

/**
 * Follows the server for ever. `onEvent` gets each snapshot, `onAway` the reason whenever the
 * server does not answer; `onLocked` returns once there is another token.
 */
export async function follow({ onEvent, onAway, onLocked }) {
  let failures = 0;
  const arrived = async (event) => {
    failures = 0;
    await onEvent(event);
  };
  for (;;) {
    try {
      await readStream(arrived);
      onAway('The server has ended the connection.');
    } catch (error) {
      if (error.status === 401) {
        await onLocked(hasToken());
        continue;
      }
      if (error.status === 503) {
        await poll(arrived).catch(() => onAway('The server does not answer.'));
        await sleep(POLL_MS);
        continue;
      }
      const reason = error instanceof Refused ? `The server refuses: ${error.message}.`
        : 'The server does not answer.';
      onAway(reason);
    }
    await sleep(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
    failures += 1;
  }
}
