// Everything that the page can ask of the program, a line or two each; docs/admin.md describes the routes. The types are
// those of api.d.ts, which is made from the program's own.

import { backend } from './backend.js';

/**
 * @typedef {import('./api.d.ts').LoginWay} LoginWay
 * @typedef {import('./api.d.ts').LoginStep} LoginStep
 */

const { call, stream } = backend;

/** @param {string} path @param {AbortSignal} [signal] */
const get = (path, signal) => call('GET', `/admin${path}`, undefined, signal);
/** @param {string} path @param {unknown} [body] @param {AbortSignal} [signal] */
const post = (path, body, signal) => call('POST', `/admin${path}`, body, signal);
/** @param {string} path @param {unknown} body */
const put = (path, body) => call('PUT', `/admin${path}`, body);
/** @param {string} path */
const remove = (path) => call('DELETE', `/admin${path}`);

/** @param {Record<string, string | number | undefined>} fields */
function query(fields) {
  const set = Object.entries(fields).filter(([, value]) => value !== undefined);
  return `?${new URLSearchParams(set.map(([name, value]) => [name, String(value)]))}`;
}

const id = encodeURIComponent;

export const api = {
  /** The picture of the program now and whenever it changes, and what happens. @param {(event: import('./api.d.ts').AdminEvent) => void} tell @param {AbortSignal} signal */
  watch: (tell, signal) => stream('GET', '/admin/events', undefined, tell, signal),

  /** @param {boolean} on */
  setServer: (on) => put('/server', { on }),

  /** @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').About>} */
  about: (signal) => get('/about', signal),

  /** @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').Licences>} */
  licences: (signal) => get('/licences', signal),

  accounts: {
    /** @param {string} account */
    use: (account) => post(`/accounts/${id(account)}/use`),
    /** @param {string} account @param {string | null} name */
    rename: (account, name) => call('PATCH', `/admin/accounts/${id(account)}`, { name }),
    /** @param {string} account @param {boolean} paused */
    pause: (account, paused) => put(`/accounts/${id(account)}/paused`, { paused }),
    /** @param {string} account */
    retry: (account) => post(`/accounts/${id(account)}/retry`),
    /** @param {string} account */
    refresh: (account) => post(`/accounts/${id(account)}/refresh`),
    /** @param {string} account @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').Tested>} */
    test: (account, signal) => post(`/accounts/${id(account)}/test`, undefined, signal),
    /** @param {string} account */
    remove: (account) => remove(`/accounts/${id(account)}`),
  },

  /** Reads the limits of every account now. @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').AccountTrouble[]>} */
  readLimits: (signal) => post('/limits/refresh', undefined, signal),

  login: {
    /** @param {LoginWay} way @returns {Promise<import('./api.d.ts').Login>} */
    begin: (way) => post('/logins', { way }),
    /** @param {number} login @param {(step: LoginStep) => void} tell @param {AbortSignal} signal */
    watch: (login, tell, signal) => stream('GET', `/admin/logins/${login}/steps`, undefined, tell, signal),
    /** @param {number} login @param {string} text */
    paste: (login, text) => post(`/logins/${login}/paste`, { text }),
    /** @param {number} login */
    cancel: (login) => remove(`/logins/${login}`),
  },

  models: {
    /** Asks the backend for its list; the snapshot shows what came of it. @param {AbortSignal} signal */
    refresh: (signal) => get('/models?fresh=true', signal),
    /** A rule for a family, a scenario, a name or a pattern. @param {string} asks @param {string | null} target `null`: there is none any more */
    rule: (asks, target) => (target === null ? remove(`/models/rules/${id(asks)}`) : put(`/models/rules/${id(asks)}`, { target })),
    /** What a name would become. @param {string} name @returns {Promise<import('./api.d.ts').Mapped>} */
    resolve: (name) => get(`/models/resolve${query({ name })}`),
  },

  claudeCode: {
    /** @returns {Promise<import('./api.d.ts').SetUp>} */
    status: () => get('/claude-code'),
    /** What setting up would write. @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').SetUpReport>} */
    plan: (signal) => post('/claude-code', { dry_run: true }, signal),
    /** @returns {Promise<import('./api.d.ts').SetUpReport>} */
    connect: () => post('/claude-code', {}),
    /** Back to Anthropic until Dragoman is on again. @returns {Promise<import('./api.d.ts').SetUpStatus>} */
    suspend: () => post('/claude-code/suspend', {}),
    /** @returns {Promise<import('./api.d.ts').SetUpReport>} */
    disconnect: () => remove('/claude-code'),
  },

  /** @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').ClientEnvironment>} */
  environment: (signal) => get('/environment', signal),

  settings: {
    /** @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').Setting[]>} */
    list: (signal) => get('/settings', signal),
    /** @param {string} key @param {string | null} value `null`: back to the default */
    set: (key, value) => (value === null ? remove(`/settings/${id(key)}`) : put(`/settings/${id(key)}`, { value })),
  },

  /** @param {{ since: number, every?: 'hour' | 'day', by?: 'model' | 'account' }} wish @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').UsagePoint[]>} */
  usage: (wish, signal) => get(`/usage${query({ ...wish, since: Math.floor(wish.since) })}`, signal),
  /** @param {number} since @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').LimitPoint[]>} */
  limits: (since, signal) => get(`/usage/limits${query({ since: Math.floor(since) })}`, signal),
  deleteHistory: () => remove('/usage'),

  /** @param {boolean} quick @param {(check: import('./api.d.ts').Check) => void} tell @param {AbortSignal} signal */
  doctor: (quick, tell, signal) => stream('POST', '/admin/doctor', { quick }, tell, signal),

  /**
   * A question on the path that Claude Code uses, of the model that answers for this name and kind of request.
   * @param {{ text: string, model?: string, scenario?: import('./api.d.ts').Scenario }} prompt `scenario`: the model is that for requests of this kind
   * @param {(event: import('./api.d.ts').PromptEvent) => void} tell @param {AbortSignal} signal
   */
  ask: (prompt, tell, signal) => stream('POST', '/admin/prompt', prompt, tell, signal),

  activity: {
    /** The last requests that ended, newest first; later ones come with the events. @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').Exchange[]>} */
    list: (signal) => get('/activity', signal),
    /** @param {string} request @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').Exchange>} */
    one: (request, signal) => get(`/activity/${id(request)}`, signal),
    /** What was said in it. @param {string} request @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').Recorded>} */
    recorded: (request, signal) => get(`/activity/${id(request)}/recording`, signal),
    /** @param {string} request @returns {Promise<import('./api.d.ts').Exported>} */
    export: (request) => post(`/activity/${id(request)}/case`),
    /** @param {AbortSignal} signal @returns {Promise<import('./api.d.ts').RecordingState>} */
    recording: (signal) => get('/recording', signal),
    /** @param {boolean} on @returns {Promise<import('./api.d.ts').RecordingState>} */
    record: (on) => put('/recording', { on }),
  },

  update: {
    look: () => post('/update/look'),
    install: () => post('/update/install'),
  },

  /** The lines of the log that there are, then each as it is written. @param {(line: import('./api.d.ts').LogLine) => void} tell @param {AbortSignal} signal */
  logs: (tell, signal) => stream('GET', '/admin/logs/stream?history=true', undefined, tell, signal),
};
