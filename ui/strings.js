// Every word that the pages show. Another language is another module of this shape. Sentences say what happened, what it
// means and what to do; none blames, none shouts.

import { settings } from './strings-settings.js';

/** @typedef {import('./api.d.ts').LoginStep} Step */

export const units = {
  none: '–',
  thousand: (/** @type {string} */ n) => `${n} k`,
  million: (/** @type {string} */ n) => `${n} M`,
  percent: (/** @type {string} */ n) => `${n} %`,
  days: (/** @type {number} */ n) => `${n} d`,
  hours: (/** @type {number} */ n) => `${n} h`,
  minutes: (/** @type {number} */ n) => `${n} min`,
  seconds: (/** @type {string} */ n) => `${n} s`,
  milliseconds: (/** @type {string} */ n) => `${n} ms`,
  megabytes: (/** @type {string} */ n) => `${n} MB`,
  join: (/** @type {string} */ one, /** @type {string} */ other) => [one, other].filter(Boolean).join(' '),
};

const several = (/** @type {number} */ n, /** @type {string} */ one, /** @type {string} */ more) => (n === 1 ? one : more);

export const text = {
  none: '–',
  cancel: 'Cancel',
  close: 'Close',
  done: 'Done',
  save: 'Save',
  undo: 'Undo',
  again: 'Try again',
  copy: 'Copy',
  copied: 'Copied',
  copyFailed: 'Copying did not work here. Select the text and copy it by hand.',
  dismiss: 'Dismiss',
  remaining: (/** @type {string} */ span) => `${span} left`,
  timeUp: 'the time is up',

  shell: {
    pages: 'Pages',
    more: 'More',
    overview: 'Overview',
    accounts: 'Accounts',
    models: 'Models',
    activity: 'Activity',
    usage: 'Usage',
    settings: 'Settings',
    logs: 'Logs',
    about: 'About',
    lost: 'Dragoman does not answer, so this page may be out of date. If it was quit, start it again; this page follows by itself.',
  },

  server: {
    on: 'On',
    off: 'Off',
    failed: 'Not listening',
    switch: 'Dragoman on',
    retry: 'Try again',
    changed: (/** @type {string} */ state) => `Dragoman: ${state}`,
  },

  trouble: {
    title: 'Dragoman did not start',
    advice: 'Put this right and start Dragoman again. Closing this window quits.',
    offline: 'Dragoman does not answer. If it was quit, start it again, then try once more.',
    signedOut: 'This browser is not signed in to Dragoman any more. Run `dragoman open` for a new link.',
    unreadable: (/** @type {number} */ status) => `Dragoman could not do that (status ${status}). See Logs for more.`,
  },

  notice: /** @type {Record<string, string>} */ ({
    noHost:
      'No tray was found, so this window opened instead. Closing it quits Dragoman. ' +
      'GNOME shows tray icons with the extension “AppIndicator and KStatusNotifierItem Support”.',
    noLibrary:
      'The tray icon needs a library that is missing here, so this window opened instead. Closing it quits Dragoman. ' +
      'On Debian and Ubuntu: sudo apt install libayatana-appindicator3-1',
  }),

  limits: {
    window: (/** @type {number} */ minutes) =>
      minutes === 10_080 ? 'weekly' : minutes === 1_440 ? 'daily' : minutes % 60 === 0 ? `${minutes / 60}-hour` : `${minutes}-minute`,
    label: (/** @type {string} */ name) => `${name} limit`,
    used: (/** @type {string} */ percent) => `${percent} used`,
    resets: (/** @type {string} */ at, /** @type {string} */ span) => `resets ${at} (in ${span})`,
    anew: 'has started anew',
    near: 'nearly used up',
    reached: 'limit reached',
  },

  account: {
    chatGpt: 'ChatGPT',
    apiKey: 'OpenAI API key',
    demo: 'Demo model',
    demoAbout: 'It answers without an account and without the network.',
    none: 'No account yet',
    noneAbout: 'Sign in with ChatGPT to begin.',
    ready: 'signed in ✓',
    signIn: 'sign in again',
    locked: 'keyring locked',
    paused: 'paused',
    rests: (/** @type {string} */ at, /** @type {string} */ span) => `rests until ${at} (in ${span})`,
    restsOpen: 'at its limit',
    kinds: { linked: 'Login of the Codex CLI', own: 'Login of Dragoman’s own', api_key: 'Paid by use', demo: '' },
  },

  overview: {
    title: 'Overview',
    account: 'Account',
    toAccounts: 'Accounts',
    switchAccount: 'Switch',
    claudeCode: 'Claude Code',
    today: 'Today',
    usage: 'Usage',
    in: 'tokens in',
    cached: 'from the cache',
    out: 'tokens out',
    requests: (/** @type {number} */ n) => several(n, 'request', 'requests'),
    hours: (/** @type {string} */ most, /** @type {string} */ at) => `Tokens per hour; the most, ${most}, in the hour from ${at}`,
    noHours: 'Tokens per hour; none yet today',
    lastProblem: 'Last problem',
    show: 'Show',
    hints: 'Good to know',
    working: (/** @type {number} */ running, /** @type {number | null} */ rate) =>
      [`Working · ${running} ${several(running, 'request', 'requests')}`, rate != null && `${rate} tokens/s`].filter(Boolean).join(' · '),
  },

  first: {
    title: 'Welcome to Dragoman',
    about: 'Three steps, and Claude Code runs on your ChatGPT subscription. Everything here can be undone.',
    skip: 'Skip',
    skipThis: (/** @type {string} */ title) => `Skip: ${title}`,
    skipped: 'Skipped. You can do this later.',
    isDone: '(done)',
    leave: 'Go to the overview',
    signIn: {
      title: 'Sign in with ChatGPT',
      about: 'Your plan pays for what Claude Code asks. Dragoman keeps the login on this computer.',
      done: (/** @type {{ kind: string, label: string | null }} */ { kind, label }) =>
        kind === 'demo' ? 'The demo model answers; it needs no account.' : kind === 'api_key' ? 'An API key is ready.' : `Signed in${label ? ` as ${label}` : ''}.`,
    },
    setUp: {
      title: 'Set up Claude Code',
      about: 'Dragoman writes a few keys into Claude Code’s settings. Nothing else in the file changes.',
      done: 'Claude Code uses Dragoman. Sessions that are open follow by themselves.',
      button: 'Set up Claude Code',
      looking: 'Looking at Claude Code’s settings …',
    },
    hello: {
      title: 'Say hello',
      about: 'One question on the same path that Claude Code uses.',
      done: 'It works.',
      prompt: 'Say hello in one sentence.',
      field: 'Question',
      button: 'Say hello',
      coming: (/** @type {string} */ model) => `${model} answers …`,
      facts: (/** @type {string} */ model, /** @type {string} */ first, /** @type {string} */ tokens) => `${model} · first word after ${first} · ${tokens} tokens`,
    },
  },

  signIn: {
    button: 'Sign in with ChatGPT',
    or: 'Or:',
    ways: { device: 'device code', manual: 'paste a link', linked: 'import from Codex CLI', api_key: 'API key' },
    beginning: 'Preparing the sign-in …',
    inBrowser: 'Your browser shows the sign-in page. Finish there; this page follows.',
    hereOrThere: 'Open the sign-in page and finish there; this page follows.',
    anywhere: 'Open this address in any browser and sign in. At the end the browser shows an address that does not load: copy it and paste it here.',
    device: 'Open the page in any browser and type this code:',
    open: 'Open the page',
    copyAddress: 'Copy the address',
    pasted: 'The address or code from the browser',
    enter: 'Continue',
    key: 'API key',
    keyHint: 'A key of the OpenAI API. It is paid by use and not by your ChatGPT plan. It is kept where logins are kept.',
    add: 'Add the key',
    ended: 'The sign-in ended without a result. Begin again.',
    notOpened: (/** @type {string} */ why) => `The browser could not be opened (${why}). Copy the address and open it yourself.`,
    notAccepted: {
      wrong_state: 'That belongs to another sign-in. Use the page that this sign-in opened.',
      no_code: 'There is no sign-in code in that. Copy the whole address from the browser’s address bar.',
    },
    done: (/** @type {{ label: string | null, kind: string, replaced: boolean }} */ { label, kind, replaced }) =>
      `${kind === 'api_key' ? 'The API key was added' : `Signed in${label ? ` as ${label}` : ''}`}${replaced ? '; it took the place of the earlier login' : ''}.`,
    announced: (/** @type {Step} */ step) => {
      switch (step.step) {
        case 'waiting_for_browser':
          return 'Waiting for the sign-in page in your browser.';
        case 'browser_not_opened':
          return 'The browser could not be opened.';
        case 'waiting_for_paste':
          return 'Waiting for the address from your browser.';
        case 'device_code':
          return `The code is ${step.code}.`;
        case 'not_accepted':
          return 'That was not accepted.';
        case 'codex_login':
          return `Using the login of the Codex CLI${step.label ? ` (${step.label})` : ''} …`;
        case 'codex_started':
          return `codex login runs (Codex CLI ${step.version}).`;
        case 'codex_says':
          return step.line;
        case 'checking_key':
          return 'Trying the key …';
        case 'exchanging':
          return 'Finishing the sign-in …';
        case 'storing':
          return 'Putting the login away …';
        case 'done':
          return 'Signed in.';
        case 'failed':
          return step.message;
        case 'cancelled':
          return 'The sign-in was cancelled.';
      }
    },
  },

  claudeCode: {
    name: 'Claude Code',
    setUp: 'Set up',
    undo: 'Undo',
    details: 'Details',
    detailsTitle: 'Claude Code’s set-up',
    state: { not_connected: 'not set up', connected: 'set up ✓', suspended: 'waiting for Dragoman', pointed_elsewhere: 'pointed elsewhere' },
    about: {
      not_connected: 'It does not use Dragoman yet.',
      connected: 'It uses Dragoman, in every project.',
      suspended: 'It goes to Anthropic until Dragoman is on again.',
      pointed_elsewhere: 'Its settings were changed since and lead elsewhere.',
    },
    off: 'Dragoman is off, so Claude Code gets no answer. It can go back to Anthropic until Dragoman is on again; sessions that are open follow by themselves.',
    offHints: {
      not_connected: 'Clients get no answer while Dragoman is off.',
      connected: 'Claude Code gets no answer while Dragoman is off.',
      suspended: 'Claude Code goes to Anthropic until Dragoman is on again.',
      pointed_elsewhere: 'Clients get no answer while Dragoman is off.',
    },
    back: 'Back to Anthropic',
    alwaysBack: 'Always do that',
    neverBack: 'Leave it, and don’t ask',
    changed: (/** @type {string} */ keys) => `Changed by someone since, and left alone: ${keys}.`,
    plan: 'These keys are written to',
    keys: 'Keys and values',
    change: /** @type {Record<string, string>} */ ({ unchanged: '(is there already)', replaced: '(your value is kept for undo)', 'left alone': '(left alone)' }),
    backup: 'The file is copied before the first write. Undo brings back each key’s earlier value.',
    written: (/** @type {string} */ file) => `Claude Code is set up in ${file}`,
    undone: (/** @type {string} */ file) => `Claude Code’s settings are as before in ${file}`,
    variables: 'Only for one terminal',
    variablesHint: 'Run this in the terminal where you start Claude Code. Nothing is written.',
    shell: 'Shell',
    shells: /** @type {Record<string, string>} */ ({ bash: 'bash', zsh: 'zsh', fish: 'fish', powershell: 'PowerShell', cmd: 'cmd', nu: 'Nushell' }),
    copyFailed: 'Copying did not work. `dragoman env` prints the same lines.',
    setIn: (/** @type {string} */ what, /** @type {string | null} */ file, /** @type {number | null} */ line) =>
      file ? (line ? `${what} is set in ${file}, line ${line}.` : `${what}: ${file}.`) : `${what} is set in Dragoman’s environment.`,
  },

  accounts: {
    title: 'Accounts',
    add: 'Add account',
    addAbout: 'Several accounts take over from each other when one is at its limit.',
    none: 'No account yet',
    noneAbout: 'Claude Code is answered by your ChatGPT plan. Sign in, or use a login that the Codex CLI already has.',
    readLimits: 'Read limits',
    inUse: 'in use',
    more: 'More …',
    use: 'Use this',
    test: 'Test',
    tested: (/** @type {string} */ model, /** @type {string} */ answer, /** @type {string} */ took) => `${model} answered “${answer}” in ${took}.`,
    rename: 'Rename',
    renameTitle: 'Name this account',
    renameAbout: 'The name stands in menus and lists. Leave it empty for the e-mail address.',
    name: 'Name',
    retry: 'Try now',
    refresh: 'Renew login',
    refreshed: 'The login was renewed.',
    pause: 'Pause',
    resume: 'Resume',
    remove: 'Remove',
    removeTitle: (/** @type {string} */ name) => `Remove ${name}?`,
    removeLinked: 'Dragoman forgets this login. The Codex CLI keeps it, so you can add it again at any time.',
    removeOwn: 'Dragoman forgets this login on this computer. To use it again you sign in again.',
    removeKey: 'Dragoman forgets this key on this computer. It stays valid at OpenAI until you delete it there.',
    removed: (/** @type {string} */ name) => `${name} was removed.`,
    credits: (/** @type {string} */ balance) => `credits: ${balance}`,
    creditsUnlimited: 'credits: unlimited',
    readAt: (/** @type {string} */ at) => `read ${at}`,
    strategy: 'Which account answers',
    strategyAbout: 'For new sessions. A session stays with its account for as long as that one can answer.',
  },

  models: {
    title: 'Models',
    about: (/** @type {string} */ window) => `Claude Code asks for Claude models; here you say which model answers. Changes count from the next request on. A conversation may fill ${window} tokens.`,
    reset: 'Reset to defaults',
    isReset: 'The map follows the catalog again.',
    asks: 'Claude asks for',
    gets: 'gets',
    wishes: 'effort · tier',
    families: /** @type {Record<string, string>} */ ({ opus: 'Opus', sonnet: 'Sonnet', haiku: 'Haiku', fable: 'Fable', default: 'Anything else', web_search: 'Web search', compact: 'Compaction', long_context: 'Long conversation', image: 'Pictures', background: 'Titles and summaries', subagent: 'Subagents', think: 'Plan mode, thinking' }),
    automatic: (/** @type {string} */ name) => (name ? `${name} (automatic)` : 'Automatic'),
    missing: (/** @type {string} */ id) => `${id} (not in the catalog)`,
    modelFor: (/** @type {string} */ family) => `Model for ${family}`,
    tierFor: (/** @type {string} */ family) => `Tier for ${family}`,
    poolFor: (/** @type {string} */ family) => `Accounts for ${family}`,
    /** @type {[string, string][]} */
    pools: [['', 'any account'], ['chatgpt', 'by subscription'], ['api', 'by API key']],
    tierNames: { fast: 'fast', standard: 'standard' },
    presets: 'Presets',
    /** @type {Record<import('./rules.js').Preset, string>} */
    presetNames: { thorough: 'Thorough: the first model with high effort', sparing: 'Sparing: the everyday model', small: 'Small: the small model for everything' },
    isPreset: (/** @type {string} */ name) => `${name}. It counts from the next request on.`,
    names: 'Names and patterns',
    newName: 'A name that a client asks for',
    newNameHint: 'gpt-5.3 or claude-*-4-?',
    add: 'Add',
    remove: 'Remove',
    removeThis: (/** @type {string} */ name) => `Remove the rule for ${name}`,
    isRemoved: (/** @type {string} */ name) => `The rule for ${name} was removed.`,
    resolve: 'What would a name become?',
    resolveAbout: 'Type a model name as a client would send it.',
    resolveName: 'Model name',
    resolved: (/** @type {string | null} */ effort, /** @type {string | null} */ otherwise, /** @type {string | null} */ tier, /** @type {string | null} */ pool) =>
      [
        effort ? `with effort ${effort}` : otherwise ? `with the effort that is asked for, else ${otherwise}` : '',
        tier ? `in the ${tier} tier` : '',
        pool === 'api' ? 'by API keys only' : pool === 'chatgpt' ? 'by subscriptions only' : '',
      ]
        .filter(Boolean)
        .join(', '),
    effortFor: (/** @type {string} */ family) => `Effort for ${family}`,
    asAskedShort: 'as asked',
    test: 'Test',
    testThis: (/** @type {string} */ family) => `Test ${family}`,
    question: 'Answer with the one word: ready',
    tested: (/** @type {string} */ model, /** @type {string} */ answer, /** @type {string} */ took) => `${model} answered “${answer}” in ${took}.`,
    scenarios: 'Situations',
    override: 'Effort for everything',
    overrideAbout: 'Goes before what Claude Code asks for, and before the efforts above.',
    asAsked: 'As Claude Code asks',
    efforts: /** @type {Record<string, string>} */ ({ none: 'none', minimal: 'minimal', low: 'low', medium: 'medium', high: 'high', xhigh: 'extra high', max: 'max' }),
    catalog: 'Catalog',
    sources: { live: 'from the backend', disk: 'from an earlier run', bundled: 'as shipped with Dragoman', demo: 'of the demo' },
    refresh: 'Refresh',
    noModels: 'No models',
    noModelsAbout: 'The backend lists none for this account. Refresh, or sign in with another account.',
    model: 'Model',
    window: 'Window',
    effortsHead: 'Efforts',
    tiers: 'Tiers',
    isDefault: (/** @type {string} */ effort) => `${effort} (default)`,
  },

  activity: {
    title: 'Activity',
    filter: 'Filter requests',
    requests: 'Requests',
    count: (/** @type {number} */ running, /** @type {number} */ kept) =>
      [running > 0 ? `${running} running` : '', kept > 0 ? `the last ${kept}` : ''].filter(Boolean).join(' · '),
    time: 'began · client',
    models: 'asked → answered · rule',
    tokens: 'tokens',
    times: 'time taken',
    status: 'result · notes',
    awaiting: 'Reading the list …',
    empty: 'Nothing yet',
    emptyAbout: 'Each request of Claude Code appears here as it comes: who asks, which model answers and why; then tokens and times. Start “claude” and ask something.',
    nothingFound: 'No request matches',
    nothingFoundAbout: 'The filter looks at client, session, models, rule, result and id.',
    someone: 'unknown client',
    inOut: (/** @type {string} */ into, /** @type {string} */ out) => `${into} in · ${out} out`,
    cached: (/** @type {string} */ n) => `${n} cached`,
    tokensInAll: 'Tokens',
    tokensLong: (/** @type {string} */ into, /** @type {string} */ cached, /** @type {string} */ out) => `${into} in, ${cached} of them cached, ${out} out`,
    first: (/** @type {string} */ took) => `first ${took}`,
    notes: (/** @type {number} */ n) => `${n} ${several(n, 'note', 'notes')}`,
    running: 'running',
    waits: 'no output yet',
    left: 'client left',
    ok: 'answered ✓',
    failed: (/** @type {string} */ kind, /** @type {number} */ status) => failures[kind]?.[0] ?? `failed (${kind || status})`,
    todo: (/** @type {string} */ kind) => failures[kind]?.[1] ?? 'See Logs for more.',
    /** Which rule of the model map decided. @param {import('./api.d.ts').Decider} decider */
    decided: (decider) => {
      switch (decider.kind) {
        case 'name':
        case 'pattern':
          return `models.names "${decider.of}"`;
        case 'scenario':
        case 'family':
          return `models.${decider.of}`;
        case 'default':
          return 'models.default';
        case 'model':
          return 'the model’s own name';
        case 'codex':
          return 'the Codex CLI’s model';
        case 'catalog':
          return 'the catalog’s order';
        case 'passthrough':
          return 'models.mode';
      }
    },
    record: 'Record contents',
    recordOff: 'Only numbers and names are kept. Switch this on to see both sides of the next requests; nothing of it is written to the disk.',
    recordOn: (/** @type {string} */ kept, /** @type {string} */ size, /** @type {string} */ most) =>
      `${kept} kept, ${size} of ${most}, without secrets, in memory only. Switching off forgets them.`,
    notRecorded: 'The contents were not kept',
    notRecordedAbout: 'Switch on “Record contents” above the list, then ask again: the next requests show both sides here.',
    export: 'Export as a test case',
    exported: 'Exported',
    exportedAbout: (/** @type {number} */ files) =>
      `${files} files were written, with the prompts and answers of this conversation. Look through them before you give them to anybody.`,
    notWhole: 'The conversation began before it was recorded. Dragoman remembers a little of earlier requests, so a replay may differ.',
    notExported: 'This request can’t be exported',
    because: (/** @type {string} */ why) => `${why.charAt(0).toUpperCase()}${why.slice(1)}.`,
    back: 'All requests',
    detail: 'Request',
    at: 'Ended',
    result: 'Result',
    client: 'Client',
    asked: 'Asked for',
    answered: 'Answered by',
    rule: 'Decided by',
    firstOutput: 'First output',
    duration: 'In all',
    changed: 'What was changed on the way',
    firstOf: (/** @type {number} */ shown, /** @type {number} */ all) => `the first ${shown} of ${all}`,
    unchanged: 'Nothing was lost',
    unchangedAbout: 'Everything of this request has a counterpart on the other side.',
    /** @type {Record<import('./api.d.ts').What, string>} */
    what: {
      dropped: 'Left out',
      described: 'Told in words',
      renamed: 'Renamed',
      repaired: 'Filled in',
      adjusted: 'Asked in another way',
    },
  },

  sides: {
    request: 'Request, side by side',
    answer: 'Answer, side by side',
    client: 'The client’s side',
    backend: 'The backend’s side',
    which: 'Which request to the backend',
    number: (/** @type {number} */ n, /** @type {number} */ all) => `${n} of ${all} to the backend`,
    nothing: (/** @type {string} */ side) => `${side}: nothing here`,
    raw: 'Events as they came',
    clientEvents: 'What the client got, as it came',
    backendEvents: 'What the backend said, as it came',
    more: (/** @type {number} */ n) => `… and ${n} more characters`,
    /** @type {Record<import('./align.js').Kind, string>} */
    kinds: {
      parameters: 'parameters',
      system: 'system',
      user: 'user',
      assistant: 'assistant',
      call: 'tool call',
      result: 'tool result',
      thinking: 'thinking',
      tool: 'tool',
      end: 'end',
      other: 'block',
    },
  },

  usage: {
    title: 'Usage',
    range: 'Range',
    ranges: /** @type {[string, string][]} */ ([['7', '7 days'], ['30', '30 days'], ['90', '90 days']]),
    by: 'Told apart by',
    bys: /** @type {[string, string][]} */ ([['model', 'by model'], ['account', 'by account']]),
    asTables: 'As tables',
    tokens: 'Tokens by day',
    tokensLabel: (/** @type {string} */ sum, /** @type {number} */ days) => `Tokens by day, ${sum} in ${days} days. “As tables” shows the numbers.`,
    cachedShare: 'Read from the cache',
    cachedLabel: (/** @type {string} */ share) => `Share of the input that came from the cache, by day; ${share} overall. “As tables” shows the numbers.`,
    limits: 'Limits over time',
    limitsLabel: 'How full each limit was over time. “As tables” shows the numbers.',
    sum: (/** @type {string} */ sum) => `${sum} in all`,
    overall: (/** @type {string} */ share) => `${share} overall`,
    day: 'Day',
    in: 'Tokens in',
    cached: 'Cached',
    share: 'Share',
    when: 'When',
    limit: 'Limit',
    used: 'Used',
    unknown: 'unknown',
    others: 'others',
    awaiting: 'Reading the history …',
    empty: 'Nothing was used yet',
    emptyAbout: 'The sums of each day appear here. They stay on this computer: numbers and names, nothing you wrote.',
    noLimits: 'No readings yet',
    noLimitsAbout: 'Limits are read as answers pass by.',
    keep: 'The history stays on this computer',
    keepAbout: 'It holds numbers and names, no prompts and no answers. Settings say how long it is kept.',
    delete: 'Delete history',
    deleteTitle: 'Delete the usage history?',
    deleteAbout: 'All sums and readings on this computer are deleted. Your limits at ChatGPT do not change.',
    deleted: 'The usage history was deleted.',
  },

  logs: {
    title: 'Logs',
    filter: 'Filter lines',
    level: 'Least important line',
    /** @type {Record<import('./api.d.ts').LogLevel, string>} */
    levels: { error: 'errors', warn: 'and warnings', info: 'and information', debug: 'and details', trace: 'everything' },
    pause: 'Pause',
    goOn: (/** @type {number} */ waiting) => (waiting > 0 ? `Go on · ${waiting} new` : 'Go on'),
    copy: 'Copy lines',
    awaiting: 'Reading the log …',
    empty: 'No lines yet',
    emptyAbout: 'What Dragoman does appears here as it happens.',
    nothingFound: 'No line matches',
    nothingFoundAbout: 'Change the filter, or show less important lines too.',
    ended: 'Dragoman has ended this log. If it was quit, start it again.',
    about: 'Logs never hold prompts, answers or tokens. “How much is logged” in Settings says what is written at all.',
  },

  settings,

  update: {
    title: 'Newer versions',
    look: 'Look for newer versions',
    lookAbout: 'At the start and once a day. Nothing is installed before you say so.',
    lookNow: 'Look now',
    looking: 'Looking for a newer version …',
    newest: 'This is the newest version.',
    lookedAt: (/** @type {string} */ when) => `Looked ${when}.`,
    found: (/** @type {string} */ version) => `Version ${version} is there.`,
    install: 'Install',
    installAbout: 'The system may ask for your password.',
    installing: (/** @type {string} */ version) => `Version ${version} is being loaded, checked and installed …`,
    installingAbout: 'The system may ask for your password.',
    installed: (/** @type {string} */ version) => `Version ${version} is installed.`,
    installedAbout: 'It counts from the next start: quit Dragoman and start it again.',
  },

  about: {
    title: 'About',
    what: 'Claude Code on a ChatGPT subscription, through a translating proxy on this computer.',
    files: 'Files',
    places: { config_file: 'Settings', logs: 'Logs', history: 'Usage history' },
    doctor: 'Check-up',
    doctorAbout: 'Looks at each part that must work. The full one also runs the installed Claude Code with your account.',
    check: 'Check',
    checkAll: 'Full check',
    checked: 'The check-up is done.',
    outcomes: { good: 'well:', odd: 'odd:', bad: 'not well:', skipped: 'skipped:' },
    licences: 'Licences',
    ours: 'MIT licence',
    inside: 'Everything else inside',
    insideAbout: 'Dragoman is made of many free programs, each under a licence of its own.',
    licencesTitle: 'Licences of what is inside',
    noLicences: 'This build carries no licence texts: it was not made as a package. In the source tree, .ci/licences.py prints them.',
    licence: 'Licence',
    licenceOf: (/** @type {string} */ name) => `Licence of ${name}`,
    vendored: /** @type {[string, string, string][]} */ ([
      ['Preact', 'MIT licence', 'preact.LICENSE'],
      ['htm', 'Apache License 2.0', 'htm.LICENSE'],
      ['uPlot', 'MIT licence', 'uplot.LICENSE'],
    ]),
  },
};

/** What an error means to a person, and what to do; by Anthropic’s word for it. @type {Record<string, [words: string, todo: string]>} */
const failures = {
  overloaded_error: ['overloaded', 'The backend had no room. Claude Code tries again by itself.'],
  rate_limit_error: ['limit reached', 'Wait for the reset, or use another account.'],
  authentication_error: ['not signed in', 'Sign in again under Accounts.'],
  permission_error: ['not allowed', 'This account may not do that.'],
  billing_error: ['not in this plan', 'The plan or its credits do not cover this.'],
  invalid_request_error: ['refused', 'The backend did not take the request. See Logs for more.'],
  not_found_error: ['no such model', 'See Models for what there is.'],
  request_too_large: ['too large', 'Settings say how large a request may be.'],
  timeout_error: ['no answer in time', 'Try again.'],
  api_error: ['backend failed', 'Try again. See Logs for more.'],
};
