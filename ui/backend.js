// The only file that knows what the page talks to. In a browser that is the admin listener that served the page; in the
// window it is the program around the page, which hands the same requests to the same routes (Tauri's `invoke`).

const tauri = /** @type {any} */ (window).__TAURI__;

/** What a request came to if it did not work: a sentence that says what happened and what to do. */
export class Trouble extends Error {
  /** @param {string} message empty if nobody said why @param {number} status 0 = nobody answered */
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** @typedef {{
 *   call: (method: string, path: string, body?: unknown, signal?: AbortSignal) => Promise<any>,
 *   stream: (method: string, path: string, body: unknown, tell: (value: any) => void, signal: AbortSignal) => Promise<void>,
 *   notice: () => Promise<string | null>,
 *   onNotice: (tell: (notice: string | null) => void) => void,
 *   inWindow: boolean,
 * }} Backend */

/** A failed answer as the error that it is. @param {number} status @param {string} body */
function trouble(status, body) {
  try {
    const { message, hint } = JSON.parse(body).error;
    return new Trouble(sentences(message, hint), status);
  } catch {
    return new Trouble('', status); // Not one of ours.
  }
}

/** What happened and what to do, as sentences. @param {string} message @param {string | null} hint */
function sentences(message, hint) {
  const whole = (/** @type {string} */ part) => part.charAt(0).toUpperCase() + part.slice(1) + (/[.!?]$/.test(part) ? '' : '.');
  return [message, hint].filter(Boolean).map((part) => whole(String(part))).join(' ');
}

/** Cuts server-sent events into the values that they carry. @param {(value: any) => void} tell */
function reader(tell) {
  let rest = '';
  return (/** @type {string} */ chunk) => {
    const parts = (rest + chunk).split(/\r?\n\r?\n/);
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const lines = part.split(/\r?\n/).filter((line) => line.startsWith('data:'));
      if (lines.length > 0) tell(JSON.parse(lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n')));
    }
  };
}

/** @type {Backend} */
const browser = {
  inWindow: false,

  async call(method, path, body, signal) {
    const answer = await request(method, path, body, signal);
    const text = await answer.text();
    if (!answer.ok) throw trouble(answer.status, text);
    return text && /json/.test(answer.headers.get('content-type') ?? '') ? JSON.parse(text) : text;
  },

  async stream(method, path, body, tell, signal) {
    const answer = await request(method, path, body, signal);
    if (!answer.ok || !answer.body) throw trouble(answer.status, await answer.text());
    const read = reader(tell);
    const words = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await words.read();
      if (done) return;
      read(value);
    }
  },

  notice: async () => null,
  onNotice: () => {},
};

/** @param {string} method @param {string} path @param {unknown} body @param {AbortSignal} [signal] */
async function request(method, path, body, signal) {
  /** @type {Record<string, string>} */
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  const sent = body === undefined ? undefined : JSON.stringify(body);
  try {
    return await fetch(path, { method, headers, body: sent, signal, credentials: 'same-origin', cache: 'no-store' });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Trouble('');
  }
}

/** @type {Backend} */
const shell = {
  inWindow: true,

  async call(method, path, body, signal) {
    const answer = await admin(method, path, body, () => {}, signal);
    if (answer.status >= 400) throw trouble(answer.status, answer.body);
    try {
      return answer.body ? JSON.parse(answer.body) : '';
    } catch {
      return answer.body;
    }
  },

  async stream(method, path, body, tell, signal) {
    const answer = await admin(method, path, body, (value) => signal.aborted || tell(JSON.parse(value)), signal);
    if (answer && answer.status >= 400) throw trouble(answer.status, answer.body);
  },

  notice: () => tauri.core.invoke('notice'),
  onNotice: (tell) => tauri.event.listen('notice', (/** @type {any} */ event) => tell(event.payload)),
};

let calls = 0;

/**
 * One call of the program around the page. What was begun ends when nobody waits for it any more.
 * @param {string} method @param {string} path @param {unknown} body @param {(value: string) => void} tell @param {AbortSignal} [signal]
 * @returns {Promise<{ status: number, body: string }>}
 */
async function admin(method, path, body, tell, signal) {
  const values = new tauri.core.Channel();
  values.onmessage = tell;
  const [id, sent] = [++calls, body === undefined ? null : JSON.stringify(body)];
  const answer = tauri.core.invoke('admin', { id, call: { method, path, body: sent }, values });
  if (!signal) return answer;
  return new Promise((done, failed) => {
    const leave = () => {
      tauri.core.invoke('admin_cancel', { id });
      failed(new DOMException('', 'AbortError'));
    };
    if (signal.aborted) return leave();
    signal.addEventListener('abort', leave, { once: true });
    answer.then(done, failed).finally(() => signal.removeEventListener('abort', leave));
  });
}

export const backend = tauri ? shell : browser;
