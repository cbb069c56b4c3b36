// A backend of the page's own tests: it serves ui/ as the admin listener does and answers its requests from memory, so
// that pages can be looked at in states that are hard to bring about (limits reached, a month of use). Never shipped.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const UI = fileURLToPath(new URL('../../ui/', import.meta.url));
const KINDS = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const now = Math.floor(Date.now() / 1000);
const midnight = new Date().setHours(0, 0, 0, 0) / 1000;

const limits = (five, week) => ({
  windows: [
    { name: null, minutes: 300, used_percent: five, resets_at: now + 72 * 60 },
    { name: null, minutes: 10_080, used_percent: week, resets_at: now + 4 * 86_400 },
  ],
  credits: null,
  plan: 'plus',
  spending: null,
  reached: null,
  read_at: now - 120,
});
const account = (id, fields) => ({
  id,
  name: null,
  label: null,
  plan: 'plus',
  kind: 'own',
  state: { state: 'ready' },
  paused: false,
  rest: null,
  limits: limits(74, 34),
  added_at: now - 86_400,
  ...fields,
});
const model = (id, name, description, tiers = ['priority']) => ({
  id,
  alias: `claude-${id.replaceAll('.', '-')}`,
  name,
  description,
  window: 258_400,
  efforts: ['low', 'medium', 'high', 'xhigh'],
  default_effort: 'medium',
  tiers,
  dialect: 'lite',
});

/** A request that runs, since so many milliseconds. */
const ongoing = (id, since, first = null) => ({ id, began_at: Date.now() - since, client: 'claude-cli', session: 'session-0', model: 'claude-opus-5-5', upstream_model: 'gpt-6.1-sol', decider: { kind: 'catalog' }, first_output_ms: first });

const mapped = (asks, model, why, rule = null) => ({ asks, rule, model, pool: null, effort: null, default_effort: null, tier: null, window: null, decider: null, why, problem: null });

/** What the program says of itself in each scene. */
export function scene(name) {
  const accounts =
    name === 'fresh'
      ? [account('00000000', { kind: 'linked', state: { state: 'none' }, plan: null, limits: { ...limits(0, 0), windows: [] } })]
      : [
          account('1f0c2a77', { label: 'you@example.com' }),
          account('9be41d03', { label: 'team@example.com', name: 'Work', plan: 'business', kind: 'linked', limits: limits(100, 88), rest: { since: now - 600, until: now + 72 * 60 } }),
          account('4410ce52', { kind: 'api_key', label: null, name: 'Spare key', plan: null, limits: { ...limits(0, 0), windows: [] }, paused: true }),
          account('7711aa02', { label: 'old@example.com', state: { state: 'sign_in', message: 'The login of old@example.com has ended. Sign in again to use it.' }, limits: { ...limits(0, 0), windows: [], read_at: null } }),
        ];
  return {
    version: '0.1.0',
    server:
      name === 'failed'
        ? { state: 'failed', message: '127.0.0.1:3746 is in use by another program (node, process 4711). End it, or choose another address in Settings' }
        : name === 'off'
          ? { state: 'off' }
          : { state: 'on', address: '127.0.0.1:3746' },
    account: accounts[0],
    limits: accounts[0].limits,
    accounts,
    update: name === 'fresh' ? { state: 'unavailable' } : name === 'used' ? { state: 'found', version: '0.2.0', notes: 'Menus open twice as fast.' } : { state: 'failed', message: 'updates.example.com can’t be reached. Dragoman asks again later; nothing else depends on it.', version: null },
    activity: name === 'fresh' ? { running: [], requests_total: 0, tokens_per_second: null } : { running: [ongoing('req_live', 4_000, 900)], requests_total: 213, tokens_per_second: 84 },
    names: Object.fromEntries(accounts.map(({ id, name, label }) => [id, name ?? label ?? 'no account'])),
    today:
      name === 'fresh'
        ? { requests: 0, failed: 0, cancelled: 0, input_tokens: 0, cached_tokens: 0, cache_write_tokens: 0, output_tokens: 0, searches: 0 }
        : { requests: 213, failed: 1, cancelled: 2, input_tokens: 1_912_004, cached_tokens: 1_357_500, cache_write_tokens: 0, output_tokens: 48_120, searches: 3 },
    models: {
      source: 'live',
      window: 258_400,
      compact_at: null,
      effort: null,
      families: [
        mapped('opus', 'gpt-6.1-sol', 'the first model of the catalog'),
        mapped('sonnet', 'gpt-5.5', 'your rule models.sonnet', 'gpt-5.5-high'),
        mapped('haiku', 'gpt-6.1-luna', 'the smallest model of the catalog'),
        name === 'odd'
          ? { ...mapped('fable', null, ''), problem: 'gpt-7 is not in the catalog of this account; choose another model' }
          : mapped('fable', 'gpt-6.1-sol', 'the first model of the catalog'),
        mapped('default', 'gpt-6.1-sol', 'the first model of the catalog'),
      ],
      scenarios: ['web_search', 'compact', 'long_context', 'image', 'background', 'subagent', 'think'].map((asks) => mapped(asks, null, 'as the name that is asked for')),
      names: [mapped('claude-*-4-?', 'gpt-5.5', 'your rule in models.names', 'gpt-5.5 effort=low')],
      listed: [
        model('gpt-6.1-sol', 'GPT-6.1 Sol', 'The largest model, for hard problems and long work.'),
        model('gpt-6.1-terra', 'GPT-6.1 Terra', 'The everyday model.'),
        model('gpt-6.1-luna', 'GPT-6.1 Luna', 'Small and quick.', []),
        model('gpt-5.5', 'GPT-5.5', 'The model before.'),
      ],
    },
    mcp: [
      { name: 'files', state: 'ready', tools: 12, error: null },
      { name: 'web', state: 'failed', tools: 0, error: 'it did not answer within 30 s' },
    ],
    hints: name === 'fresh' ? [] : ['Logins are kept in files that only you can read, not in the system’s keyring; set accounts.token_store = "keyring" to move them there.'],
  };
}

const plan = {
  file: '/home/you/.claude/settings.json',
  dry_run: true,
  backup: null,
  notes: [],
  conflicts: [],
  changes: [
    ['env.ANTHROPIC_BASE_URL', 'http://127.0.0.1:3746'],
    ['env.ANTHROPIC_AUTH_TOKEN', '(the local token)'],
    ['env.CLAUDE_CODE_MAX_CONTEXT_TOKENS', '258400'],
    ['env.CLAUDE_CODE_AUTO_COMPACT_WINDOW', '258400'],
    ['env.ANTHROPIC_DEFAULT_OPUS_MODEL_NAME', 'GPT-6.1 Sol'],
    ['modelPicker', 'GPT-5.5'],
  ].map(([key, value]) => ({ key, value, what: 'added' })),
};

const setting = (key, about, documentation, fields = {}) => ({
  key,
  about,
  documentation: `${documentation}\n\nDefault: …`,
  kind: 'text',
  choices: [],
  value: null,
  default: null,
  source: { from: 'default' },
  counts: 'at_once',
  ...fields,
});
const settings = () => [
  setting('server.listen', 'address Claude Code connects to', 'Where Claude Code connects: an address and a port. Port 0 takes a free one; `dragoman serve` prints it. An address that other machines can reach is refused unless `server.allow_remote` is true.', { value: '127.0.0.1:3746', default: '127.0.0.1:3746', source: { from: 'environment', name: 'DRAGOMAN_LISTEN' }, counts: 'next_on' }),
  setting('server.allow_remote', 'may other machines connect', 'Set it to `true` if other machines may connect. Whoever can reach the address and knows the client token can use your account, and the connection is not encrypted.', { kind: 'switch', value: 'false', default: 'false' }),
  setting('upstream.compression', 'compress large requests', 'Compress larger requests with zstd: `"auto"` (yes, except to this machine), `"on"` or `"off"`.', { value: 'auto', default: 'auto', choices: ['auto', 'on', 'off'] }),
  setting('accounts.strategy', 'which account answers', 'Which of several accounts answers a session that has none yet. See [accounts.md](accounts.md).', { value: 'priority', default: 'priority', choices: ['priority', 'round-robin', 'most-room'] }),
  setting('accounts.token_store', 'where logins are kept: keyring or file', 'Where Dragoman keeps logins of its own: `"keyring"` or `"file"`. Logins that are kept in the other place are moved at the next start.', { value: 'keyring', default: 'keyring', choices: ['keyring', 'file'], counts: 'next_start' }),
  setting('models.sonnet', 'model for Claude Sonnet', 'Answers for Claude Sonnet. Without a value: the first `terra` model, else the first of all.', { value: 'gpt-5.5-high', source: { from: 'file', path: '/home/you/.config/dragoman/config.toml', line: 4 } }),
  setting('models.effort', 'effort that overrides the client’s', 'An effort that overrides what the client asks for. Without a value Dragoman does as the client asks.', { choices: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] }),
  setting('claude_code.when_off', 'Claude Code while Dragoman is off', 'Does Claude Code go back to Anthropic while Dragoman is off? `"ask"`, `"always"` or `"never"`.', { value: 'ask', default: 'ask', choices: ['ask', 'always', 'never'] }),
  setting('mcp.offer', 'tools of MCP servers for the model: off, all or named', 'Whose tools are added to requests of Claude Code’s main loop: `"off"`, `"all"` or `"named"`.', { value: 'all', default: 'off', choices: ['off', 'all', 'named'], source: { from: 'file', path: '/home/you/.config/dragoman/config.toml', line: 9 } }),
  setting('history.keep_days', 'days until usage rows are deleted', 'After how many days rows are deleted, from 1 to 3650.', { kind: 'number', value: '90', default: '90' }),
  setting('log.level', 'least important line', 'The least important line that is still written.', { value: 'info', default: 'info', choices: ['error', 'warn', 'info', 'debug', 'trace'] }),
];

function usage(by, every, since) {
  const step = every === 'hour' ? 3_600 : 86_400;
  const keys = by === 'account' ? ['1f0c2a77', '9be41d03'] : by === 'model' ? ['gpt-6.1-sol', 'gpt-6.1-terra', 'gpt-6.1-luna'] : [null];
  const points = [];
  for (let start = since, n = 0; start <= now; start += step, n += 1)
    for (const [at, key] of keys.entries()) {
      const input = Math.round((900_000 / (at + 1)) * (1 + Math.sin(n * 1.3 + at)) * (n % 7 === 5 ? 0 : 1)) / (step === 3_600 ? 20 : 1);
      if (input > 0)
        points.push({ start, key, last: start + 60, requests: 20, failed: 0, cancelled: 0, input_tokens: Math.round(input), cached_tokens: Math.round(input * (0.6 + 0.2 * Math.sin(n))), cache_write_tokens: 0, output_tokens: Math.round(input / 40), searches: 0 });
    }
  return points;
}

function limitPoints(since) {
  const points = [];
  for (let at = since, n = 0; at < now; at += 5_400, n += 1) {
    points.push({ read_at: at, account: '1f0c2a77', name: null, minutes: 300, used_percent: (n * 13) % 96, resets_at: at + 300 });
    points.push({ read_at: at, account: '1f0c2a77', name: null, minutes: 10_080, used_percent: (n * 0.9) % 80, resets_at: at + 300 });
  }
  return points;
}

const notes = [
  { what: 'dropped', place: 'tools.0.input_examples', detail: 'upstream has no examples of a tool’s input' },
  { what: 'adjusted', place: 'messages.0.content.0', detail: 'cache_control: the backend caches every prefix by itself' },
];
const exchange = (at, fields) => ({
  id: `req_${1000 + at}`,
  ended_at: now * 1_000 - at * 47_000,
  client: at % 5 === 4 ? 'python-httpx' : 'claude-cli',
  session: `session-${at % 3}`,
  account: '1f0c2a77',
  model: at % 4 === 3 ? 'claude-haiku-4-5-20251001' : 'claude-opus-5-5',
  upstream_model: at % 4 === 3 ? 'gpt-6.1-luna' : 'gpt-6.1-sol',
  decider: at % 4 === 3 ? { kind: 'scenario', of: 'background' } : at % 4 === 2 ? { kind: 'pattern', of: 'claude-*-5-?' } : { kind: 'catalog' },
  effort: at % 4 === 3 ? null : 'medium',
  status: 200,
  error: null,
  first_output_ms: 640 + at * 31,
  duration_ms: 3_000 + at * 410,
  tokens: { input: 30_212 + at * 900, cached: 28_400 + at * 900, output: 312 + at },
  notes: at % 3 === 1 ? notes : [],
  notes_in_all: at % 3 === 1 ? 2 : 0,
  ...fields,
});
const exchanges = () => [
  ...Array.from({ length: 5 }, (_, at) => exchange(at)),
  exchange(5, { status: 529, error: 'overloaded_error', tokens: null, first_output_ms: null }),
  exchange(6, { status: 499, tokens: null }),
  ...Array.from({ length: 12 }, (_, at) => exchange(at + 7)),
];

const sse = (...values) => values.map((value) => `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`).join('');
/** As the client of each API tells the same conversation. */
const recorded = (number) => ({ ...messages(number), ...(number === 2 ? chat() : {}), ...(number === 3 ? responses(messages(number)) : {}) });
const messages = (number) => ({
  door: 'messages',
  obstacle: number === 1 ? null : 'this request has no whole answer, and a failure of the backend is not recorded',
  request: JSON.stringify({
    model: 'claude-opus-5-5',
    max_tokens: 32_000,
    stream: true,
    system: [{ type: 'text', text: 'You are Claude Code, a command line tool that helps with software.' }],
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'Which files are here?', cache_control: { type: 'ephemeral' } }] },
      { role: 'assistant', content: [{ type: 'text', text: 'I will look.' }, { type: 'tool_use', id: 'call_01', name: 'Bash', input: { command: 'ls -la', description: 'List files' } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_01', content: 'README.md\nsrc\nCargo.toml' }] },
    ],
    tools: [{ name: 'Bash', description: 'Runs a command.', input_schema: { type: 'object', properties: { command: { type: 'string' } } }, input_examples: [] }],
  }),
  upstream: [
    {
      dialect: 'lite',
      request: JSON.stringify({
        model: 'gpt-6.1-sol',
        input: [
          { type: 'additional_tools', role: 'developer', tools: [{ type: 'function', name: 'Bash', description: 'Runs a command.', strict: false, parameters: { type: 'object', properties: { command: { type: 'string' } } } }] },
          { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'You are Claude Code, a command line tool that helps with software.' }] },
          { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Which files are here?' }] },
          { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I will look.' }] },
          { type: 'function_call', call_id: 'call_01', name: 'Bash', arguments: '{"command":"ls -la","description":"List files"}' },
          { type: 'function_call_output', call_id: 'call_01', output: 'README.md\nsrc\nCargo.toml' },
        ],
        stream: true,
        store: false,
        reasoning: { effort: 'medium', summary: 'auto' },
      }),
      events: sse(
        { type: 'response.created', response: { id: 'resp_1' } },
        { type: 'response.output_item.done', output_index: 0, item: { type: 'reasoning', summary: [{ type: 'summary_text', text: 'A list is enough.' }] } },
        { type: 'response.output_item.done', output_index: 1, item: { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'There are three files.' }] } },
        { type: 'response.completed', response: { id: 'resp_1', status: 'completed', usage: { input_tokens: 31_112, output_tokens: 313 } } },
      ),
    },
  ],
  answer: sse(
    { type: 'message_start', message: { id: 'msg_1', role: 'assistant', content: [], usage: { input_tokens: 31_000, output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'A list is enough.' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'There are ' } },
    { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'three files.' } },
    { type: 'content_block_stop', index: 1 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { input_tokens: 1_812, cache_read_input_tokens: 29_300, output_tokens: 313 } },
    { type: 'message_stop' },
  ),
});

const chunk = (delta, finish_reason = null) => `data: ${JSON.stringify({ object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
const chat = () => ({
  door: 'chat',
  request: JSON.stringify({
    model: 'gpt-6.1-sol',
    stream: true,
    messages: [
      { role: 'system', content: 'You are Claude Code, a command line tool that helps with software.' },
      { role: 'user', content: [{ type: 'text', text: 'Which files are here?' }] },
      { role: 'assistant', content: 'I will look.', tool_calls: [{ id: 'call_01', type: 'function', function: { name: 'Bash', arguments: '{"command":"ls -la"}' } }] },
      { role: 'tool', tool_call_id: 'call_01', content: 'README.md\nsrc\nCargo.toml' },
    ],
    tools: [{ type: 'function', function: { name: 'Bash', description: 'Runs a command.', parameters: { type: 'object' } } }],
  }),
  answer: `${chunk({ role: 'assistant', content: '' })}${chunk({ reasoning_content: 'A list is enough.' })}${chunk({ content: 'There are ' })}${chunk({ content: 'three files.' })}${chunk({}, 'stop')}data: [DONE]\n\n`,
});
const responses = ({ upstream: [{ request, events }] }) => ({ door: 'responses', request, answer: events });

const logLine = (number) => ({
  number,
  at: Date.now() - (60 - number) * 9_000,
  level: number % 29 === 0 ? 'error' : number % 17 === 0 ? 'warn' : 'info',
  target: 'dragoman_proxy::activity',
  text: number % 17 === 0 ? 'the backend answered 503; trying again in 0.5 s attempt=1' : `request finished request_id="req_${1000 + number}" model="claude-opus-5-5" upstream_model="gpt-6.1-sol" status=200 duration_ms=${2_000 + number * 7}`,
});

const checks = [
  { name: 'Listener', outcome: 'good', seen: '127.0.0.1:3746 answers', todo: null, milliseconds: 3 },
  { name: 'Account', outcome: 'good', seen: 'you@example.com, ChatGPT Plus', todo: null, milliseconds: 12 },
  { name: 'Settings', outcome: 'odd', seen: 'DRAGOMAN_LISTN sets nothing', todo: 'Did you mean DRAGOMAN_LISTEN? Correct or remove it.', milliseconds: 1 },
  { name: 'Clock', outcome: 'bad', seen: 'seven minutes fast', todo: 'Set the clock; logins are refused otherwise.', milliseconds: 220 },
];

/** Serves the page and the answers of a scene on a free port of this machine. */
export async function serve(name = 'used') {
  const state = { snapshot: scene(name), connected: name !== 'fresh', suspended: false, recording: name === 'used', settings: settings() };
  const watchers = new Set();
  const readers = new Set();
  let lines = name === 'fresh' ? 0 : 60;
  let hushed = false;
  const publish = () => watchers.forEach((send) => send({ type: 'snapshot', snapshot: state.snapshot }));
  const status = () => ({ file: plan.file, state: state.suspended ? 'suspended' : state.connected ? 'connected' : 'not_connected', changed: [] });

  const recording = () => ({ on: state.recording, exchanges: state.recording ? 12 : 0, most_exchanges: 100, bytes: state.recording ? 3_400_000 : 0, most_bytes: 64 << 20 });

  const routes = {
    'GET /admin/claude-code': () => ({ status: status(), conflicts: [] }),
    'POST /admin/claude-code': ({ body }) => {
      if (!body.dry_run) state.connected = true;
      return { ...plan, dry_run: Boolean(body.dry_run) };
    },
    'DELETE /admin/claude-code': () => {
      state.connected = false;
      return plan;
    },
    'POST /admin/claude-code/suspend': () => ((state.suspended = true), status()),
    'PUT /admin/server': ({ body }) => {
      if (body.on) state.suspended = false;
      state.snapshot = { ...state.snapshot, server: body.on ? { state: 'on', address: '127.0.0.1:3746' } : { state: 'off' } };
      publish();
      return state.snapshot.server;
    },
    'GET /admin/about': () => ({ version: '0.1.0', os: 'linux', arch: 'x86_64', licence: 'MIT', disclaimer: 'Dragoman is not made by, and has no connection with, Anthropic or OpenAI. It uses your own ChatGPT subscription through the interface that OpenAI’s Codex CLI uses. Whether that is allowed is between you and OpenAI.', config_file: '/home/you/.config/dragoman/config.toml', logs: '/home/you/.local/state/dragoman/logs', history: '/home/you/.local/state/dragoman/history.db', address: '127.0.0.1:3746' }),
    'GET /admin/licences': () => ({ text: name === 'used' ? 'Dragoman is under the MIT licence. It contains the following.\n\nserde 1.0.228 (MIT OR Apache-2.0)\n' : null }),
    'GET /admin/environment': () => ({ variables: [{ name: 'ANTHROPIC_AUTH_TOKEN', value: 'drg-secret' }], shells: [{ shell: 'bash', text: 'export ANTHROPIC_BASE_URL=http://127.0.0.1:3746\nexport ANTHROPIC_AUTH_TOKEN=drg-secret' }, { shell: 'fish', text: 'set -gx ANTHROPIC_BASE_URL http://127.0.0.1:3746' }] }),
    'GET /admin/settings': () => state.settings,
    'GET /admin/models': () => state.snapshot.models,
    'GET /admin/models/resolve': ({ query }) => ({ ...mapped(query.get('name'), 'gpt-5.5', 'your rule models.sonnet'), default_effort: 'high' }),
    'GET /admin/usage': ({ query }) => (name === 'fresh' ? [] : usage(query.get('by'), query.get('every'), Number(query.get('since') ?? midnight))),
    'GET /admin/usage/limits': ({ query }) => (name === 'fresh' ? [] : limitPoints(Number(query.get('since')))),
    'GET /admin/activity': () => (name === 'fresh' ? [] : exchanges()),
    'GET /admin/recording': () => recording(),
    'PUT /admin/recording': ({ body }) => ((state.recording = body.on), recording()),
    'POST /admin/activity/req_1001/case': () => ({ directory: '/home/you/.local/state/dragoman/cases/X-req_1001', files: ['case.toml', 'request.json', 'upstream.json', 'events.sse', 'answer.sse', 'notes.json', 'catalog.json'], whole: false }),
    'POST /admin/logins': () => ({ id: 1, steps: [] }),
  };
  const streams = {
    'GET /admin/events': (send) => {
      send({ type: 'snapshot', snapshot: state.snapshot });
      watchers.add(send);
      return () => watchers.delete(send);
    },
    'GET /admin/logs/stream': (send) => {
      for (let number = 1; number <= lines; number += 1) send(logLine(number));
      readers.add(send);
      return () => readers.delete(send);
    },
    'POST /admin/doctor': (send, end) => {
      checks.forEach(send);
      end();
    },
    'POST /admin/prompt': (send, end) => {
      const words = ['Hello', ' from', ' the', ' other', ' side.'];
      send({ type: 'asked', model: 'gpt-6.1-sol' });
      words.forEach((text, at) => setTimeout(() => send({ type: 'text', text }), 40 * at));
      setTimeout(() => (send({ type: 'done', first_text_ms: 640, duration_ms: 1_240, tokens: { input: 1_812, cached: 0, cache_write: 0, output: 12 } }), end()), 40 * words.length);
    },
    'GET /admin/logins/1/steps': (send) => void send({ step: 'device_code', url: 'https://auth.example.com/codex/device', code: 'ABCD-12345', expires_at: now + 900 }),
  };

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    const route = `${request.method} ${url.pathname}`;
    let text = '';
    for await (const chunk of request) text += chunk;
    const body = text ? JSON.parse(text) : {};
    if (hushed && url.pathname.startsWith('/admin/')) return; // never answered
    if (streams[route]) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const leave = streams[route]((value) => response.write(`data: ${JSON.stringify(value)}\n\n`), () => response.end());
      request.on('close', () => {});
      response.on('close', () => leave?.());
      return;
    }
    const rule = url.pathname.match(/^\/admin\/models\/rules\/(.+)$/);
    const oneRecording = url.pathname.match(/^\/admin\/activity\/req_(100[1235])\/recording$/);
    const oneExchange = url.pathname.match(/^\/admin\/activity\/([^/]+)$/);
    const setKey = url.pathname.match(/^\/admin\/settings\/(.+)$/);
    const answer = (status, value) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(value === undefined ? '' : JSON.stringify(value));
    };
    if (routes[route]) return answer(200, routes[route]({ body, query: url.searchParams }));
    if (rule) {
      const asks = decodeURIComponent(rule[1]);
      const { models } = state.snapshot;
      const target = request.method === 'PUT' ? body.target : null;
      const known = [...models.families, ...models.scenarios, ...models.names].some((row) => row.asks === asks);
      const set = (rows) => rows.map((row) => (row.asks === asks ? { ...row, rule: target, model: target ? target.split(' ')[0].replace(/^.*,/, '') : 'gpt-6.1-sol', why: target ? `your rule models.${asks}` : 'the first model of the catalog' } : row));
      const names = known ? set(models.names) : [...models.names, mapped(asks, target, 'your rule in models.names', target)];
      const left = names.filter((row) => row.rule !== null);
      state.snapshot = { ...state.snapshot, models: { ...models, families: set(models.families), scenarios: set(models.scenarios), names: left } };
      publish();
      return answer(200, state.snapshot.models);
    }
    if (setKey) {
      state.settings = state.settings.map((one) => (one.key === setKey[1] ? { ...one, value: request.method === 'PUT' ? body.value : one.default, source: request.method === 'PUT' ? { from: 'file', path: '/home/you/.config/dragoman/config.toml', line: 7 } : { from: 'default' } } : one));
      return answer(200, state.settings.find(({ key }) => key === setKey[1]) ?? {});
    }
    const found = oneExchange && exchanges().find(({ id }) => id === oneExchange[1]);
    if (found) return answer(200, found);
    if (oneRecording && state.recording) return answer(200, recorded(Number(oneRecording[1]) - 1000));
    if (url.pathname.startsWith('/admin/')) return answer(404, { error: { kind: 'not_found', message: `there is nothing at ${url.pathname}`, hint: null } });
    const file = normalize(url.pathname === '/' ? '/index.html' : url.pathname);
    try {
      const content = await readFile(join(UI, file));
      response.writeHead(200, { 'content-type': KINDS[extname(file)] ?? 'text/plain; charset=utf-8', 'content-security-policy': CSP, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const address = `http://127.0.0.1:${server.address().port}/`;
  /** A request ends, and the log says so. */
  const ends = (fields) => {
    watchers.forEach((send) => send({ type: 'exchange', exchange: exchange(0, { ended_at: Date.now(), ...fields }) }));
    lines += 1;
    readers.forEach((send) => send({ ...logLine(lines), text: `request finished request_id="${fields.id}"` }));
  };
  /** Requests run, and those from before don't any more. */
  const runs = (...running) => {
    state.snapshot = { ...state.snapshot, activity: { ...state.snapshot.activity, running: running.map(([id, since, first]) => ongoing(id, since, first)), tokens_per_second: running.length > 0 ? 84 : null } };
    publish();
  };
  /** Another account has the address of the first. */
  const twins = () => {
    const [first, second, ...rest] = state.snapshot.accounts;
    state.snapshot = { ...state.snapshot, accounts: [first, { ...second, name: null, label: first.label }, ...rest], names: { ...state.snapshot.names, [first.id]: `${first.label} (Plus)`, [second.id]: `${first.label} (Business)` } };
    publish();
  };
  return { address, ends, runs, twins, hush: () => void (hushed = true), close: () => (server.closeAllConnections(), new Promise((closed) => server.close(closed))) };
}
