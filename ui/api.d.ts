// Made from the types and routes of src-tauri/crates/app/src/admin by `make api`. Don't edit it.

/**
 * What this program is.
 */
export type About = { 
/**
 * Of this program.
 */
version: string, 
/**
 * `linux`, `macos` or `windows`.
 */
os: string, 
/**
 * Of the processor.
 */
arch: string, 
/**
 * SPDX.
 */
licence: string, 
/**
 * Who stands behind it, and who does not.
 */
disclaimer: string, 
/**
 * The settings file.
 */
config_file: string, 
/**
 * Where the log files are.
 */
logs: string, 
/**
 * The usage history.
 */
history: string, 
/**
 * Where clients connect, or would.
 */
address: string, };

/**
 * Names one account for as long as it is in the list, and again if the same login is added later. Eight hex digits of
 * a hash: it shows nothing, and it is a file name.
 */
export type AccountId = string;

/**
 * What sort of login it is.
 */
export type AccountKind = "linked" | "own" | "api_key" | "demo";

/**
 * An account at its usage limit.
 */
export type AccountRest = { 
/**
 * Since when, unix seconds.
 */
since: number, 
/**
 * When the limit resets, as far as the backend said.
 */
until: number | null, };

/**
 * Whether the login can be used.
 */
export type AccountState = { "state": "ready" } | { "state": "sign_in", "message": string } | { "state": "locked", "message": string } | { "state": "none" };

/**
 * What could not be done with one of several accounts.
 */
export type AccountTrouble = { 
/**
 * Which account.
 */
account: AccountId, 
/**
 * What happened.
 */
message: string, };

/**
 * What may be shown of one account.
 */
export type AccountView = { 
/**
 * Its name for programs.
 */
id: AccountId, 
/**
 * Its name for people, if they gave it one.
 */
name: string | null, 
/**
 * The e-mail address of the login.
 */
label: string | null, 
/**
 * The plan, e.g. `plus`.
 */
plan: string | null, 
/**
 * What sort of login it is.
 */
kind: AccountKind, 
/**
 * Whether it can be used.
 */
state: AccountState, 
/**
 * The user does not want it to be used for now.
 */
paused: boolean, 
/**
 * Its usage limit is reached.
 */
rest: AccountRest | null, 
/**
 * How much of its allowance is used.
 */
limits: Limits, 
/**
 * When it was added, unix seconds; `None`: never, the Codex CLI's login was found.
 */
added_at: number | null, };

/**
 * All accounts, the preferred one first. Never empty: without any account the first one's state is
 * [`AccountState::None`].
 */
export type AccountsView = { 
/**
 * In the order of preference.
 */
accounts: Array<AccountView>, 
/**
 * The one that answered last, or would answer next.
 */
in_use: AccountId, };

/**
 * Something that is told to whoever watches.
 */
export type AdminEvent = { "type": "snapshot", 
/**
 * All of it.
 */
snapshot: Snapshot, } | { "type": "exchange", 
/**
 * Which, and how.
 */
exchange: Exchange, } | { "type": "notice", 
/**
 * What.
 */
notice: Notice, };

/**
 * A name that a client could ask for.
 */
export type AskedName = { 
/**
 * The name, suffixes and backend included.
 */
name: string, 
/**
 * What the request would be for; without it, nothing special.
 */
scenario?: Scenario, };

/**
 * What requests are told apart by.
 */
export type By = "model" | "account" | "session" | "client";

/**
 * Where a catalog comes from.
 */
export type CatalogSource = "live" | "disk" | "bundled" | "demo";

/**
 * What was checked, and what came of it.
 */
export type Check = { 
/**
 * In a word or two.
 */
name: string, 
/**
 * What came of it.
 */
outcome: CheckOutcome, 
/**
 * What was seen.
 */
seen: string, 
/**
 * What to do, if something must be done.
 */
todo: string | null, 
/**
 * How long it took.
 */
milliseconds: number, };

/**
 * What came of a check.
 */
export type CheckOutcome = "good" | "odd" | "bad" | "skipped";

/**
 * What a client must have in its environment. It holds the local token: show it only to who asks.
 */
export type ClientEnvironment = { 
/**
 * In order.
 */
variables: Array<Variable>, 
/**
 * The lines that set them, for each shell.
 */
shells: Array<ShellText>, };

/**
 * How another program is pointed here.
 */
export type ClientRecipe = { 
/**
 * Its short name.
 */
name: string, 
/**
 * The program.
 */
about: string, 
/**
 * Does it work?
 */
readiness: Readiness, 
/**
 * What to do, with the local token; `null` while the port is not known.
 */
text: string | null, };

/**
 * Something that stands in the way, or might.
 */
export type Conflict = { 
/**
 * How bad it is.
 */
weight: ConflictWeight, 
/**
 * The variable, the member of a settings file, or the file.
 */
what: string, 
/**
 * Where it is set; `None`: in the environment of this process.
 */
file: string | null, 
/**
 * Counted from one.
 */
line: number | null, 
/**
 * What it means.
 */
means: string, 
/**
 * What to do.
 */
todo: string, };

/**
 * How bad it is.
 */
export type ConflictWeight = "blocks" | "warns" | "notes";

/**
 * Credits of the account.
 */
export type Credits = { 
/**
 * There are some.
 */
has_credits: boolean, 
/**
 * There is no end to them.
 */
unlimited: boolean, 
/**
 * How many, in the backend's words.
 */
balance: string | null, };

/**
 * Which rule decided who answers. Displays as the setting to look at.
 */
export type Decider = { "kind": "name", "of": string } | { "kind": "model" } | { "kind": "scenario", "of": Scenario } | { "kind": "family", "of": Family } | { "kind": "pattern", "of": string } | { "kind": "default" } | { "kind": "codex" } | { "kind": "catalog" } | { "kind": "passthrough" };

/**
 * Which of the two request dialects a model speaks (`upstream.md` §b.3; the catalog's `use_responses_lite`).
 */
export type Dialect = "classic" | "lite";

/**
 * Whose words a client understands.
 */
export type Door = "messages" | "responses" | "chat";

/**
 * Reasoning effort, lowest first; the words of the model catalog (`upstream.md` §b.3).
 */
export type Effort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max" | "ultra";

/**
 * What every error looks like.
 */
export type ErrorAnswer = { error: ErrorDetail, };

/**
 * Why something was not done.
 */
export type ErrorDetail = { 
/**
 * For programs.
 */
kind: ErrorKind, 
/**
 * What happened, for people; often with what to do.
 */
message: string, 
/**
 * What to do, where it is not in the message.
 */
hint: string | null, };

/**
 * The kinds of errors.
 */
export type ErrorKind = "bad_request" | "unauthorized" | "forbidden" | "not_found" | "method_not_allowed" | "too_large" | "port_busy" | "account" | "claude_code" | "settings" | "recording" | "update" | "internal" | "stopping";

/**
 * A stretch of local time.
 */
export type Every = "hour" | "day";

/**
 * A request that has ended.
 */
export type Exchange = { 
/**
 * As in the `request-id` header.
 */
id: string, 
/**
 * When it ended, unix milliseconds.
 */
ended_at: number, 
/**
 * The program that asked, e.g. `claude-cli`; empty if it didn't say.
 */
client: string, 
/**
 * The session that it belongs to.
 */
session: string, 
/**
 * The account that it was made for, once there was one.
 */
account: string | null, 
/**
 * The model that was asked for.
 */
model: string, 
/**
 * The model that answered.
 */
upstream_model: string, 
/**
 * Which rule of the model map decided that.
 */
decider: Decider, 
/**
 * The effort that was sent.
 */
effort: Effort | null, 
/**
 * An HTTP status; 499 for a client that left.
 */
status: number, 
/**
 * What went wrong, in Anthropic's word.
 */
error: string | null, 
/**
 * To the first output.
 */
first_output_ms: number | null, 
/**
 * In all.
 */
duration_ms: number, 
/**
 * Tokens, where they are known.
 */
tokens: Tokens | null, 
/**
 * What was changed or left out on the way: the first of them.
 */
notes: Array<Note>, 
/**
 * How many there are in all.
 */
notes_in_all: number, };

/**
 * A case that was written.
 */
export type Exported = { 
/**
 * Where.
 */
directory: string, 
/**
 * The files in it.
 */
files: Array<string>, 
/**
 * False: the beginning of the conversation was not recorded, so a replay may differ.
 */
whole: boolean, };

/**
 * The families of Claude's models.
 */
export type Family = "opus" | "sonnet" | "haiku" | "fable" | "other";

/**
 * What to do about an old catalog.
 */
export type Fresh = { 
/**
 * Ask the backend first, if what is known is old.
 */
fresh?: boolean, };

/**
 * The licences of what is in this program.
 */
export type Licences = { 
/**
 * Names and texts; `null` if this build carries none.
 */
text: string | null, };

/**
 * One reading of one window of an account's limits.
 */
export type LimitPoint = { 
/**
 * When, unix seconds.
 */
read_at: number, 
/**
 * The account's tag.
 */
account: string, 
/**
 * The extra limit; `None`: the account's own.
 */
name: string | null, 
/**
 * The window's length.
 */
minutes: number, 
/**
 * How much was used.
 */
used_percent: number, 
/**
 * When it starts anew, unix seconds.
 */
resets_at: number | null, };

/**
 * One window of a limit.
 */
export type LimitWindow = { 
/**
 * The extra limit that it belongs to; `None` for the account's own.
 */
name: string | null, 
/**
 * Its length; windows are told apart by length, never by position (P8).
 */
minutes: number, 
/**
 * How much is used, in percent, from 0 to 100.
 */
used_percent: number, 
/**
 * When it starts anew, unix seconds.
 */
resets_at: number | null, };

/**
 * The newest known limits of one account.
 */
export type Limits = { 
/**
 * The windows that exist: the account's own (no name) first, then extra limits by name; shorter ones first. A
 * window that the backend does not tell, or tells without a length, is not among them: its use is not known.
 */
windows: Array<LimitWindow>, 
/**
 * Credits, where the backend tells.
 */
credits: Credits | null, 
/**
 * The plan, e.g. `plus`.
 */
plan: string | null, 
/**
 * A workspace's limit on what is spent, where there is one.
 */
spending: Spending | null, 
/**
 * What is used up, if something is and the backend says what.
 */
reached: ReachedLimit | null, 
/**
 * When this was read, unix seconds; `None` = never.
 */
read_at: number | null, };

/**
 * One model.
 */
export type Listed = { 
/**
 * Its id, to be used in settings and by clients.
 */
id: string, 
/**
 * The id under which Claude Code's model discovery lists it.
 */
alias: string, 
/**
 * Its name for people.
 */
name: string, 
/**
 * What it is good for.
 */
description: string, 
/**
 * What a conversation may fill, in tokens.
 */
window: number, 
/**
 * The efforts it offers that can be sent, lowest first.
 */
efforts: Array<Effort>, 
/**
 * The effort if none is asked for.
 */
default_effort: Effort | null, 
/**
 * The service tiers it offers.
 */
tiers: Array<string>, 
/**
 * The request dialect it speaks.
 */
dialect: Dialect, };

/**
 * How important a line is, the most important first.
 */
export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

/**
 * One line of the log.
 */
export type LogLine = { 
/**
 * Counted from the program's start.
 */
number: number, 
/**
 * When, unix milliseconds.
 */
at: number, 
/**
 * How important.
 */
level: LogLevel, 
/**
 * Which part of the program says it.
 */
target: string, 
/**
 * The message and its fields.
 */
text: string, };

/**
 * Which lines.
 */
export type LogWish = { 
/**
 * The least important that is still wanted; all of them without it. What the setting `log.level` leaves out is not
 * there.
 */
level?: LogLevel, 
/**
 * At most so many of the newest.
 */
limit?: number, 
/**
 * For the stream: begin with what is there already.
 */
history?: boolean, };

/**
 * A sign-in that was begun.
 */
export type Login = { 
/**
 * Names it in paths.
 */
id: number, 
/**
 * What happened so far.
 */
steps: Array<LoginStep>, };

/**
 * A [`LoginError`] as it is told.
 */
export type LoginError = { 
/**
 * One word for programs.
 */
code: string, 
/**
 * What happened, what it means, what to do.
 */
message: string, };

/**
 * One step of a sign-in. None holds a token.
 */
export type LoginStep = { "step": "waiting_for_browser", 
/**
 * The sign-in page.
 */
url: string, 
/**
 * Where it comes back to.
 */
port: number, 
/**
 * Until when, unix seconds.
 */
expires_at: number, } | { "step": "browser_not_opened", 
/**
 * Why.
 */
why: string, } | { "step": "waiting_for_paste", 
/**
 * The sign-in page.
 */
url: string, 
/**
 * Until when, unix seconds.
 */
expires_at: number, } | { "step": "not_accepted", 
/**
 * Why.
 */
why: NotAccepted, } | { "step": "device_code", 
/**
 * The page.
 */
url: string, 
/**
 * The code.
 */
code: string, 
/**
 * Until when, unix seconds.
 */
expires_at: number, } | { "step": "codex_login", 
/**
 * Its home.
 */
home: string, 
/**
 * Its e-mail address.
 */
label: string | null, 
/**
 * Its plan.
 */
plan: string | null, } | { "step": "codex_started", 
/**
 * Its version.
 */
version: string, 
/**
 * It is older than what Dragoman was tried with.
 */
is_old: boolean, } | { "step": "codex_says", 
/**
 * The line, without colours.
 */
line: string, } | { "step": "checking_key" } | { "step": "exchanging" } | { "step": "storing" } | { "step": "done" } & SignedIn | { "step": "failed" } & LoginError | { "step": "cancelled" };

/**
 * The ways to sign in.
 */
export type LoginWay = { "kind": "browser", 
/**
 * Open it, or only show the address.
 */
open: boolean, } | { "kind": "device" } | { "kind": "manual" } | { "kind": "linked" } | { "kind": "import", 
/**
 * By device code instead of the browser.
 */
device: boolean, } | { "kind": "codex_login" } | { "kind": "api_key", 
/**
 * The key.
 */
key: string, };

/**
 * One row of the map: who asks, who answers, and why.
 */
export type Mapped = { 
/**
 * A family, a scenario, a name or a pattern.
 */
asks: string, 
/**
 * The rule of the user's for exactly this row, in the words of the settings. `None`: there is none, and what stands
 * here is computed.
 */
rule: string | null, 
/**
 * The model's id. `None` for a scenario: as the family that is asked for.
 */
model: string | null, 
/**
 * Whose accounts answer; `None`: anybody's.
 */
pool: Pool | null, 
/**
 * The effort that is sent whatever the client asks for.
 */
effort: Effort | null, 
/**
 * The effort that is sent if the client asks for none.
 */
default_effort: Effort | null, 
/**
 * The service tier that is asked for.
 */
tier: string | null, 
/**
 * How many tokens a conversation may have there.
 */
window: number | null, 
/**
 * Who decided.
 */
decider: Decider | null, 
/**
 * The same in words.
 */
why: string, 
/**
 * What is wrong: a rule that names a model that there is not, or nobody at all to answer.
 */
problem: string | null, };

/**
 * How one server fares.
 */
export type McpServer = { 
/**
 * Its name in the user's files.
 */
name: string, 
/**
 * Whether it can be used.
 */
state: McpState, 
/**
 * How many tools it offers.
 */
tools: number, 
/**
 * What is wrong, or was left out.
 */
error: string | null, };

/**
 * Whether a server can be used.
 */
export type McpState = "starting" | "ready" | "failed";

/**
 * The catalog and the map, as tables.
 */
export type Models = { 
/**
 * Where the catalog comes from.
 */
source: CatalogSource, 
/**
 * The window that Claude Code is told, in tokens: the smallest of the mapped families (DECISIONS 18).
 */
window: number, 
/**
 * Where the Codex CLI is set to compact, in tokens, if that counts here too.
 */
compact_at: number | null, 
/**
 * The effort that all requests are sent with, if the user wants that.
 */
effort: Effort | null, 
/**
 * What each family of Claude's names stands for; the last row, `default`, is for names of no known family.
 */
families: Array<Mapped>, 
/**
 * What kinds of requests get, whatever family they ask for.
 */
scenarios: Array<Mapped>, 
/**
 * The user's rules for single names and patterns.
 */
names: Array<Mapped>, 
/**
 * The models people should see, best first.
 */
listed: Array<Listed>, };

/**
 * The account that a notice is about.
 */
export type NamedAccount = { 
/**
 * Its id.
 */
id: AccountId, 
/**
 * What people call it.
 */
name: string, };

/**
 * How much to check.
 */
export type NewCheckUp = { 
/**
 * Everything but Claude Code itself, which takes a minute and some tokens.
 */
quick: boolean, };

/**
 * A wish to sign in.
 */
export type NewLogin = { 
/**
 * How.
 */
way: LoginWay, 
/**
 * The only workspace that will do.
 */
workspace?: string, };

/**
 * A prompt.
 */
export type NewPrompt = { 
/**
 * What to ask.
 */
text: string, 
/**
 * Which model: one of Claude's names, or one of the catalog's. Without it, what Claude Sonnet stands for.
 */
model?: string, 
/**
 * The only account that may answer.
 */
account?: string, 
/**
 * The model is chosen as for a request of this kind.
 */
scenario?: Scenario, };

/**
 * Shall contents be kept?
 */
export type NewRecording = { 
/**
 * Off forgets all of them.
 */
on: boolean, };

/**
 * A rule of the map.
 */
export type NewRule = { 
/**
 * `[backend,]model`, then `effort=…`, `default_effort=…`, `tier=…`, `context=max` as wished (docs/models.md).
 */
target: string, };

/**
 * How to set Claude Code up.
 */
export type NewSetUp = { 
/**
 * A project's directory; without it the user's settings are meant.
 */
project?: string, 
/**
 * Switch Claude Code's auto mode off as well?
 */
disable_auto_mode?: boolean, 
/**
 * Only tell what would be done: which file, which keys.
 */
dry_run?: boolean, };

/**
 * A setting's new value.
 */
export type NewValue = { 
/**
 * What a variable would hold.
 */
value: string, };

/**
 * Why something that came in is not the end of this sign-in.
 */
export type NotAccepted = "wrong_state" | "no_code";

/**
 * One note.
 */
export type Note = { 
/**
 * What happened.
 */
what: What, 
/**
 * Where, as a path of the client's request or the name of an upstream item.
 */
place: string, 
/**
 * Why, or what stands there now.
 */
detail: string, };

/**
 * Something that happened to an account.
 */
export type Notice = { "notice": "signed_in", 
/**
 * Which account.
 */
account: NamedAccount, } | { "notice": "sign_in_again", 
/**
 * Which account.
 */
account: NamedAccount, 
/**
 * What happened and what to do.
 */
message: string, } | { "notice": "limit_near", 
/**
 * Which account.
 */
account: NamedAccount, 
/**
 * The window.
 */
window: LimitWindow, } | { "notice": "limit_reached", 
/**
 * Which account.
 */
account: NamedAccount, 
/**
 * When the limit resets, unix seconds, as far as the backend said.
 */
until: number | null, } | { "notice": "limit_over", 
/**
 * Which account.
 */
account: NamedAccount, };

/**
 * A request that is being answered.
 */
export type Ongoing = { 
/**
 * As in the `request-id` header. The exchange that it becomes has the same.
 */
id: string, 
/**
 * When it came, unix milliseconds.
 */
began_at: number, 
/**
 * The program that asks, e.g. `claude-cli`; empty if it didn't say.
 */
client: string, 
/**
 * The session that it belongs to.
 */
session: string, 
/**
 * The model that was asked for.
 */
model: string, 
/**
 * The model that answers.
 */
upstream_model: string, 
/**
 * Which rule of the model map decided that.
 */
decider: Decider, 
/**
 * To the first output, once there was one.
 */
first_output_ms: number | null, };

/**
 * What the user pasted.
 */
export type Pasted = { 
/**
 * The address that the browser ended at, or the code.
 */
text: string, };

/**
 * Whether an account is kept out of use.
 */
export type Pause = { 
/**
 * Is it?
 */
paused: boolean, };

/**
 * Whose accounts answer; the word before the comma in `api,gpt-5.5`.
 */
export type Pool = "chatgpt" | "api";

/**
 * Accounts that a rule of the model map can ask for together, by the word before its comma.
 */
export type PoolAccounts = { 
/**
 * The word.
 */
pool: Pool, 
/**
 * Who is in it, the preferred one first.
 */
accounts: Array<AccountId>, };

/**
 * What is told while it is answered.
 */
export type PromptEvent = { "type": "asked", 
/**
 * To this model.
 */
model: string, } | { "type": "text", 
/**
 * To be put behind what came before.
 */
text: string, } | { "type": "done", 
/**
 * From the question to its first word.
 */
first_text_ms: number | null, 
/**
 * From the question to the end.
 */
duration_ms: number, 
/**
 * What it used.
 */
tokens: Tokens, } | { "type": "failed", 
/**
 * What happened and what to do.
 */
message: string, };

/**
 * What is used up (`rate_limit_reached_type`).
 */
export type ReachedLimit = "usage" | "workspace_credits" | "workspace_usage" | { "unknown": string };

/**
 * Does it work?
 */
export type Readiness = "tested" | "untested";

/**
 * What was said in a request, without secrets.
 */
export type Recorded = { 
/**
 * In which API the client asked.
 */
door: Door, 
/**
 * The client's request: JSON.
 */
request: string, 
/**
 * The requests to the backend with their answers, in order. More than one, if it objected to the first or the model
 * searched.
 */
upstream: Array<RecordedTurn>, 
/**
 * What the client got, as far as it came: an event stream, or JSON; empty where it is an error's status.
 */
answer: string, 
/**
 * Why it can't be made a case, if it can't.
 */
obstacle: string | null, };

/**
 * A request to the backend and its answer.
 */
export type RecordedTurn = { 
/**
 * The dialect that it is written in.
 */
dialect: Dialect, 
/**
 * The body: JSON.
 */
request: string, 
/**
 * The answer's event stream; empty if the request was refused.
 */
events: string, };

/**
 * Whether contents are kept, and how many.
 */
export type RecordingState = { 
/**
 * Are they kept?
 */
on: boolean, 
/**
 * Requests whose contents are kept.
 */
exchanges: number, 
/**
 * So many at most; the oldest goes.
 */
most_exchanges: number, 
/**
 * Bytes that they and those that are running take.
 */
bytes: number, 
/**
 * So many at most; the oldest goes.
 */
most_bytes: number, };

/**
 * How many rows went.
 */
export type Removed = { 
/**
 * Requests.
 */
requests: number, 
/**
 * Readings of limits.
 */
readings: number, 
/**
 * Damaged files that had been set aside.
 */
damaged_files: number, };

/**
 * An account's new name.
 */
export type Rename = { 
/**
 * `null` takes it away.
 */
name: string | null, };

/**
 * What became of the tokens at the issuer.
 */
export type Revoked = { "state": "yes" } | { "state": "not_ours" } | { "state": "no_token" } | { "state": "failed", "why": string };

/**
 * A kind of request that may have a rule of its own. If several hold, the first in this order with a rule decides.
 */
export type Scenario = "web_search" | "compact" | "long_context" | "image" | "background" | "subagent" | "think";

/**
 * The state of a listener.
 */
export type ServerState = { "state": "off" } | { "state": "on", 
/**
 * Where.
 */
address: string, } | { "state": "failed", 
/**
 * What happened and what to do.
 */
message: string, };

/**
 * How Claude Code is set up, and what else decides where it goes.
 */
export type SetUp = { 
/**
 * Is it?
 */
status: SetUpStatus, 
/**
 * The worst first.
 */
conflicts: Array<Conflict>, };

/**
 * What happened at one key.
 */
export type SetUpChange = { 
/**
 * `env.NAME` or a member at the top.
 */
key: string, 
/**
 * `added`, `replaced`, `updated`, `unchanged`, `restored`, `removed`, `left alone`.
 */
what: string, 
/**
 * The value of ours, in words; secrets are not shown.
 */
value: string | null, };

/**
 * What connecting or undoing did, or would do.
 */
export type SetUpReport = { 
/**
 * The settings file.
 */
file: string, 
/**
 * Was nothing written, because only the plan was asked for?
 */
dry_run: boolean, 
/**
 * One for each key.
 */
changes: Array<SetUpChange>, 
/**
 * The file as it was before Dragoman wrote to it.
 */
backup: string | null, 
/**
 * What the user should know, a sentence each.
 */
notes: Array<string>, 
/**
 * What stands in the way.
 */
conflicts: Array<Conflict>, };

/**
 * Is it connected?
 */
export type SetUpState = "not_connected" | "connected" | "suspended" | "pointed_elsewhere";

/**
 * How Claude Code is set up.
 */
export type SetUpStatus = { 
/**
 * The settings file.
 */
file: string, 
/**
 * Is it connected?
 */
state: SetUpState, 
/**
 * Keys of ours that someone changed since.
 */
changed: Array<string>, };

/**
 * One setting.
 */
export type Setting = { 
/**
 * `section.field`
 */
key: string, 
/**
 * What it is, in a few words.
 */
about: string, 
/**
 * What it is, in full: Markdown.
 */
documentation: string, 
/**
 * What its words are.
 */
kind: SettingKind, 
/**
 * The words that can be chosen; empty if it is no choice.
 */
choices: Array<string>, 
/**
 * The words in force; lists are separated by commas. `null`: nothing is chosen.
 */
value: string | null, 
/**
 * The words that are built in.
 */
default: string | null, 
/**
 * Where the value comes from. A variable or flag goes before the file: what is set here then has no effect.
 */
source: SettingSource, 
/**
 * From when on a change counts.
 */
counts: SettingCounts, };

/**
 * From when on a change counts.
 */
export type SettingCounts = "at_once" | "next_on" | "next_start";

/**
 * How words become a TOML value.
 */
export type SettingKind = "text" | "number" | "switch" | "list" | "pairs";

/**
 * Where a value comes from.
 */
export type SettingSource = { "from": "default" } | { "from": "file", 
/**
 * Its path.
 */
path: string, 
/**
 * Counted from one.
 */
line: number, } | { "from": "environment", 
/**
 * Its name.
 */
name: string, } | { "from": "flag", 
/**
 * Its name.
 */
name: string, };

/**
 * A shell.
 */
export type Shell = "bash" | "zsh" | "fish" | "powershell" | "cmd" | "nu";

/**
 * Lines to paste.
 */
export type ShellText = { 
/**
 * Into which shell.
 */
shell: Shell, 
/**
 * One line for each variable.
 */
text: string, };

/**
 * How an account goes.
 */
export type SignOut = { 
/**
 * Sign the Codex CLI out as well, if the login is its.
 */
codex_too?: boolean, };

/**
 * Who is signed in now.
 */
export type SignedIn = { 
/**
 * The account's id in `dragoman accounts`.
 */
account: string, 
/**
 * The e-mail address.
 */
label: string | null, 
/**
 * The plan.
 */
plan: string | null, 
/**
 * What sort of login it is.
 */
kind: AccountKind, 
/**
 * It was there before, and this login took its place.
 */
replaced: boolean, };

/**
 * What signing out did.
 */
export type SignedOut = { 
/**
 * The account's id, as it was.
 */
account: string, 
/**
 * What people called it.
 */
label: string | null, 
/**
 * What sort of login it was.
 */
kind: AccountKind, 
/**
 * What became of its tokens at the issuer.
 */
revoked: Revoked, };

/**
 * Everything there is to show.
 */
export type Snapshot = { 
/**
 * Of this program.
 */
version: string, 
/**
 * The proxy's listener.
 */
server: ServerState, 
/**
 * The admin API's listener.
 */
admin: ServerState, 
/**
 * The account in use.
 */
account: AccountView, 
/**
 * How much of it is used.
 */
limits: Limits, 
/**
 * All accounts, the preferred one first.
 */
accounts: Array<AccountView>, 
/**
 * What people call each of them; no two are called the same.
 */
names: { [key in AccountId]: string }, 
/**
 * What the proxy is doing.
 */
activity: Work, 
/**
 * What was used since midnight, from the usage history.
 */
today: Totals, 
/**
 * Which models there are and what Claude's names stand for.
 */
models: Models, 
/**
 * The MCP servers whose tools are offered to the model.
 */
mcp: Array<McpServer>, 
/**
 * Does this user's Claude Code come here?
 */
claude_code: SetUpState, 
/**
 * What is known of newer versions.
 */
update: Update, 
/**
 * What is odd but harmless, a sentence each.
 */
hints: Array<string>, };

/**
 * What a workspace allows this member to spend.
 */
export type Spending = { 
/**
 * Nothing more may be spent.
 */
reached: boolean, 
/**
 * The member's own limit, in the backend's words.
 */
limit: string | null, };

/**
 * The switch.
 */
export type Switch = { 
/**
 * Shall clients be able to connect?
 */
on: boolean, };

/**
 * An account answered a test.
 */
export type Tested = { 
/**
 * Which account.
 */
id: AccountId, 
/**
 * The model that was asked.
 */
model: string, 
/**
 * What it said.
 */
answer: string, 
/**
 * From the question to the whole answer.
 */
milliseconds: number, };

/**
 * What one request used.
 */
export type Tokens = { 
/**
 * Read, with those from the cache.
 */
input: number, 
/**
 * Of these, from the cache.
 */
cached: number, 
/**
 * Written, reasoning included.
 */
output: number, };

/**
 * Sums of requests.
 */
export type Totals = { 
/**
 * Requests that ended.
 */
requests: number, 
/**
 * Of these, ended by an error.
 */
failed: number, 
/**
 * Of these, ended by the client that left.
 */
cancelled: number, 
/**
 * Tokens read, with those from the cache.
 */
input_tokens: number, 
/**
 * Of these, from the cache.
 */
cached_tokens: number, 
/**
 * Of these, written to the cache.
 */
cache_write_tokens: number, 
/**
 * Tokens written, reasoning included.
 */
output_tokens: number, 
/**
 * Web searches.
 */
searches: number, };

/**
 * What to undo.
 */
export type Undo = { 
/**
 * A project's directory; without it the user's settings are meant.
 */
project?: string, 
/**
 * Only tell what would be done.
 */
dry_run?: boolean, };

/**
 * What is known of newer versions.
 */
export type Update = { "state": "unavailable" } | { "state": "off" } | { "state": "looking" } | { "state": "newest", 
/**
 * When that was, unix seconds.
 */
looked_at: number, } | { "state": "found", 
/**
 * Which.
 */
version: string, 
/**
 * What is new in it.
 */
notes: string | null, } | { "state": "installing", 
/**
 * Which.
 */
version: string, } | { "state": "installed", 
/**
 * Which.
 */
version: string, } | { "state": "failed", 
/**
 * What happened and what to do.
 */
message: string, 
/**
 * The version that could not be installed, and can be tried again.
 */
version: string | null, };

/**
 * One sum.
 */
export type UsagePoint = { 
/**
 * Where its stretch of time begins, unix seconds; `None`: it is for all of it.
 */
start: number | null, 
/**
 * The model, account, session or client; `None`: it is for all, or it is not known.
 */
key: string | null, 
/**
 * When the last of its requests ended, unix seconds.
 */
last: number, 
/**
 * Requests that ended.
 */
requests: number, 
/**
 * Of these, ended by an error.
 */
failed: number, 
/**
 * Of these, ended by the client that left.
 */
cancelled: number, 
/**
 * Tokens read, with those from the cache.
 */
input_tokens: number, 
/**
 * Of these, from the cache.
 */
cached_tokens: number, 
/**
 * Of these, written to the cache.
 */
cache_write_tokens: number, 
/**
 * Tokens written, reasoning included.
 */
output_tokens: number, 
/**
 * Web searches.
 */
searches: number, };

/**
 * A stretch of time, and what its sums are told apart by.
 */
export type UsageWish = { 
/**
 * So many days, today included, if `since` is not given; 30 without either.
 */
days?: number, 
/**
 * From here on, unix seconds.
 */
since?: number, 
/**
 * Up to here, unix seconds; now without it.
 */
until?: number, 
/**
 * One sum for each hour or day; without it one for all of the time.
 */
every?: Every, 
/**
 * One sum for each model, account, session or client; without it one for all.
 */
by?: By, };

/**
 * A variable.
 */
export type Variable = { name: string, value: string, };

/**
 * The kinds of notes.
 */
export type What = "dropped" | "described" | "renamed" | "repaired" | "adjusted";

/**
 * Whose Claude Code.
 */
export type Where = { 
/**
 * A project's directory; without it the user's settings are meant.
 */
project?: string, };

/**
 * What the proxy is doing.
 */
export type Work = { 
/**
 * Requests being answered now, in the order in which they came.
 */
running: Array<Ongoing>, 
/**
 * Requests since the start.
 */
requests_total: number, 
/**
 * How fast they are answered, all together: estimated from the bytes of the last seconds. `None` while nothing is
 * written.
 */
tokens_per_second: number | null, };

/** Every route: what it is sent, and what it answers, whole or as a stream. */
export interface Routes {
  /** Signs out: the account goes from the list, and a login of Dragoman's own is ended at the issuer. */
  "DELETE /admin/accounts/{account}": { body: undefined, answer: SignedOut },
  /** Undoes it: every key that is still as Dragoman wrote it gets its earlier value back. */
  "DELETE /admin/claude-code": { body: undefined, answer: SetUpReport },
  /** Ends a sign-in, unless its tokens are being stored: that is finished. */
  "DELETE /admin/logins/{id}": { body: undefined, answer: undefined },
  /** Takes a rule back; what is computed from the catalog decides again. The answer is the map without it. */
  "DELETE /admin/models/rules/{asks}": { body: undefined, answer: Models },
  /** Takes a setting out of the settings file: back to the default. */
  "DELETE /admin/settings/{key}": { body: undefined, answer: Setting },
  /** Deletes the whole history. */
  "DELETE /admin/usage": { body: undefined, answer: Removed },
  /** What this program is and where its files are. */
  "GET /admin/about": { body: undefined, answer: About },
  /** All accounts, their logins read again from where they are kept. No network. */
  "GET /admin/accounts": { body: undefined, answer: AccountsView },
  /** The last 200 requests that have ended since the program's start, newest first. Later ones come with the events. */
  "GET /admin/activity": { body: undefined, answer: Exchange[] },
  /** One of them. */
  "GET /admin/activity/{id}": { body: undefined, answer: Exchange },
  /** What was said in a request, on both sides. */
  "GET /admin/activity/{id}/recording": { body: undefined, answer: Recorded },
  /** How Claude Code is set up. */
  "GET /admin/claude-code": { body: undefined, answer: SetUp },
  /** The variables that point a client here, and the lines that set them in each shell. With the local token. */
  "GET /admin/environment": { body: undefined, answer: ClientEnvironment },
  /** A stream of `AdminEvent`: the picture at once, then whenever it changes, at most ten a second; what happens to
accounts; and each request when it has ended. */
  "GET /admin/events": { body: undefined, stream: AdminEvent },
  /** The licences of everything that is in this program, as its package brought them. */
  "GET /admin/licences": { body: undefined, answer: Licences },
  /** The sign-ins that run, and those that ended lately. */
  "GET /admin/logins": { body: undefined, answer: Login[] },
  /** A stream of `LoginStep`: those so far, then each as it comes. It ends after `done`, `failed` or `cancelled`. */
  "GET /admin/logins/{id}/steps": { body: undefined, stream: LoginStep },
  /** The newest lines, oldest first. */
  "GET /admin/logs": { body: undefined, answer: LogLine[] },
  /** A stream of `LogLine`: with `history` first those that are there, then each as it is written. */
  "GET /admin/logs/stream": { body: undefined, stream: LogLine },
  /** The catalog and the map. Without `fresh` it is what is known, at once. */
  "GET /admin/models": { body: undefined, answer: Models },
  /** What this name would become now: nothing is asked of the backend. */
  "GET /admin/models/resolve": { body: undefined, answer: Mapped },
  /** This description. */
  "GET /admin/openapi.json": { body: undefined, answer: unknown },
  /** The pools and who is in each, as far as is known. A rule `api,gpt-5.5` is answered by accounts of `api` only. */
  "GET /admin/pools": { body: undefined, answer: PoolAccounts[] },
  /** How other programs are pointed here. With the local token. */
  "GET /admin/recipes": { body: undefined, answer: ClientRecipe[] },
  /** Whether contents are kept, and how many. */
  "GET /admin/recording": { body: undefined, answer: RecordingState },
  /** Every setting, in the order of the documentation. */
  "GET /admin/settings": { body: undefined, answer: Setting[] },
  /** The picture of the program. */
  "GET /admin/snapshot": { body: undefined, answer: Snapshot },
  /** Sums of requests and tokens over time. */
  "GET /admin/usage": { body: undefined, answer: UsagePoint[] },
  /** How full the limits were, oldest reading first. `every` and `by` count for nothing here. */
  "GET /admin/usage/limits": { body: undefined, answer: LimitPoint[] },
  /** Gives an account a name. */
  "PATCH /admin/accounts/{account}": { body: Rename, answer: undefined },
  /** Renews the tokens of all accounts that have one. Tells of those that could not be. */
  "POST /admin/accounts/refresh": { body: undefined, answer: AccountTrouble[] },
  /** Renews an account's token now, whatever its age. */
  "POST /admin/accounts/{account}/refresh": { body: undefined, answer: undefined },
  /** Lets an account at its usage limit be tried at once. */
  "POST /admin/accounts/{account}/retry": { body: undefined, answer: undefined },
  /** Asks an account for one word, through the same path as Claude Code's requests. */
  "POST /admin/accounts/{account}/test": { body: undefined, answer: Tested },
  /** Prefers an account to the others, for all sessions from now on. */
  "POST /admin/accounts/{account}/use": { body: undefined, answer: undefined },
  /** Writes a request with the recorded ones before it in its conversation as a case that can be replayed. */
  "POST /admin/activity/{id}/case": { body: undefined, answer: Exported },
  /** Points Claude Code at Dragoman, or tells what that would change. */
  "POST /admin/claude-code": { body: NewSetUp, answer: SetUpReport },
  /** Lets Claude Code go back to Anthropic until Dragoman is on again. Only while it is off. */
  "POST /admin/claude-code/suspend": { body: undefined, answer: SetUpStatus },
  /** A stream of `Check`, each as soon as it is done. Leaving ends the check-up. */
  "POST /admin/doctor": { body: NewCheckUp, stream: Check },
  /** Somebody looks at the limits: they are read again in the background if they are old. */
  "POST /admin/limits/looked-at": { body: undefined, answer: undefined },
  /** Reads the limits of every account now. Tells of those that could not be read. */
  "POST /admin/limits/refresh": { body: undefined, answer: AccountTrouble[] },
  /** Begins to sign in. */
  "POST /admin/logins": { body: NewLogin, answer: Login },
  /** Hands in what the user pasted; the steps tell what became of it. */
  "POST /admin/logins/{id}/paste": { body: Pasted, answer: undefined },
  /** A stream of `PromptEvent`; it ends after `done` or `failed`. Leaving ends the request. */
  "POST /admin/prompt": { body: NewPrompt, stream: PromptEvent },
  /** Installs the version that was found; the snapshot shows what comes of it. */
  "POST /admin/update/install": { body: undefined, answer: undefined },
  /** Looks for a newer version now; the snapshot shows what comes of it. */
  "POST /admin/update/look": { body: undefined, answer: undefined },
  /** Deletes what is older or more than the settings allow. */
  "POST /admin/usage/prune": { body: undefined, answer: Removed },
  /** Keeps an account out of use, or lets it in again. */
  "PUT /admin/accounts/{account}/paused": { body: Pause, answer: undefined },
  /** Writes a rule into the settings file: for a family, a scenario, `default`, a name or a pattern. It counts from the
next request on; the answer is the map with it. */
  "PUT /admin/models/rules/{asks}": { body: NewRule, answer: Models },
  /** Keeps the contents of requests from now on, in memory, or forgets all of them. */
  "PUT /admin/recording": { body: NewRecording, answer: RecordingState },
  /** Opens or closes the proxy's listener; answers when that is done. */
  "PUT /admin/server": { body: Switch, answer: ServerState },
  /** Writes a setting into the settings file and uses it from now on. */
  "PUT /admin/settings/{key}": { body: NewValue, answer: Setting },
}
