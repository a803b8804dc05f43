// Talks to the server. The token stays in this tab and is sent in a header only, so that it appears
// in no address, log or history. EventSource cannot send headers, so fetch reads the stream.

const TOKEN_KEY = 'logintide.token';

/** Longest wait for the server's next bytes; two events of the stream are a second apart. */
const SILENCE_MS = 5000;

/** Pauses before each retry; the last one repeats. */
const RETRY_MS = [500, 1000, 2000];

/** Pause between two polls while the server has no place for another stream. */
const POLL_MS = 5000;

/** An answer with an error status. */
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
  const body = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, body.error ?? `status ${answer.status}`);
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
      // When several events arrive together, as in a background tab, only the last one matters.
      const data = events.at(-1)?.split('\n').find((line) => line.startsWith('data: '));
      if (data) await onEvent(JSON.parse(data.slice(6)));
    }
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}

/** Makes the same as an event of the stream from ordinary answers. */
async function poll(onEvent) {
  const [status, listed] = await Promise.all([
    get('/api/v1/status'), get('/api/v1/windows?limit=12'),
  ]);
  await onEvent({ ...status, windows: listed.windows, point: null });
}

/**
 * Follows the server for ever. `onEvent` gets each snapshot; `onAway` gets the reason whenever the
 * server does not answer; `onLocked` returns once the user has entered a token.
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
      onAway('The server has closed the connection.');
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
      const reason = error instanceof Refused ? `The server refuses the request: ${error.message}.`
        : 'The server does not answer.';
      onAway(reason);
    }
    await sleep(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
    failures += 1;
  }
}
