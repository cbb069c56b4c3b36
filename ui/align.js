// Puts the two sides of a request beside each other: what the client sent and got, and what the backend was sent and
// said, block by block, with what was changed on the way between them. Pure; works on the texts of a recording.
//
// A side is cut into pieces in the order of its own text. A piece has a key that both sides share (a call's id, a tool's
// name, the words themselves), so pieces meet by what they are and not by where they stand.

/**
 * @typedef {'parameters' | 'system' | 'user' | 'assistant' | 'call' | 'result' | 'thinking' | 'tool' | 'end' | 'other'} Kind
 * @typedef {{ key: string, kind: Kind, title: string, body: string, place: string }} Piece `place`: where it stands, in the words of the notes
 * @typedef {import('./api.d.ts').Note} Note
 * @typedef {{ left: Piece | null, right: Piece | null, notes: Note[] }} Pair
 */

/** @param {unknown} value */
export const pretty = (value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2) ?? '');

/** The words of a piece as far as they tell pieces apart. @param {string} role @param {string} words */
const wordsKey = (role, words) => `words ${role} ${words.trim().slice(0, 160)}`;

/** An id as both sides write it: the prefixes differ, the rest does not. @param {unknown} id */
export const plainId = (id) => String(id ?? '').replace(/^(toolu_|call_|fc_)+/, '');

/** @param {string} text @returns {any} what it says, or nothing if it can't be read */
export function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The values in the `data:` of an event stream. @param {string} text @returns {any[]} */
export const events = (text) =>
  text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => json(line.slice(5)))
    .filter((value) => value !== null);

/** @param {any} content */
export const results = (content) =>
  Array.isArray(content) ? content.map((block) => block.text ?? pretty(block)).join('\n') : pretty(content ?? '');

/** @param {string} role @param {string} words @param {string} place @returns {Piece} */
export const said = (role, words, place) => ({
  key: wordsKey(role, words),
  kind: role === 'system' || role === 'assistant' ? role : 'user',
  title: '',
  body: words,
  place,
});

/** @param {any} tool @param {string} place @returns {Piece} */
export const offered = (tool, place) => ({ key: `tool ${tool.name ?? tool.type}`, kind: 'tool', title: tool.name ?? tool.type, body: pretty(tool), place });

// === the client's side ===

/** One content block. @param {any} block @param {string} role @param {string} place @returns {Piece} */
function blockPiece(block, role, place) {
  switch (block.type) {
    case 'text':
      return said(role, block.text ?? '', place);
    case 'tool_use':
      return { key: `call ${plainId(block.id)}`, kind: 'call', title: block.name, body: pretty(block.input), place };
    case 'tool_result':
      return { key: `result ${plainId(block.tool_use_id)}`, kind: 'result', title: '', body: results(block.content), place };
    case 'thinking':
    case 'redacted_thinking':
      return { key: 'thinking', kind: 'thinking', title: '', body: block.thinking ?? '', place };
    default:
      return { key: `${block.type} ${place}`, kind: 'other', title: String(block.type), body: pretty(block), place };
  }
}

/** @param {any} content @returns {any[]} */
const blocks = (content) => (typeof content === 'string' ? [{ type: 'text', text: content }] : content ?? []);

/** @param {string} text an Anthropic Messages request @returns {Piece[]} */
export function clientRequest(text) {
  const { system, messages, tools, ...rest } = json(text) ?? {};
  return [
    { key: 'parameters', kind: 'parameters', title: '', body: pretty(rest), place: '' },
    ...blocks(system).map((block, at) => blockPiece(block, 'system', `system.${at}`)),
    ...(messages ?? []).flatMap((/** @type {any} */ message, /** @type {number} */ number) =>
      blocks(message.content).map((block, at) => blockPiece(block, message.role, `messages.${number}.content.${at}`)),
    ),
    ...(tools ?? []).map((/** @type {any} */ tool, /** @type {number} */ at) => offered(tool, `tools.${at}`)),
  ];
}

/** @param {string} text an Anthropic answer: an event stream, or one message @returns {Piece[]} */
export function clientAnswer(text) {
  const whole = text.startsWith('{') ? json(text) : folded(events(text));
  if (!whole) return [];
  const pieces = blocks(whole.content).map((block, at) => blockPiece(block, 'assistant', `content.${at}`));
  const { stop_reason, stop_sequence, usage, error } = whole;
  const end = error ? { error } : { stop_reason, stop_sequence, usage };
  return [...pieces, { key: 'end', kind: 'end', title: '', body: pretty(end), place: '' }];
}

/** The message that a stream adds up to. @param {any[]} all */
function folded(all) {
  /** @type {any} */
  const message = { content: [] };
  for (const event of all) {
    const block = message.content[event.index];
    switch (event.type) {
      case 'message_start':
        Object.assign(message, event.message, { content: [] });
        break;
      case 'content_block_start':
        message.content[event.index] = { ...event.content_block };
        break;
      case 'content_block_delta':
        if (event.delta.type === 'text_delta') block.text += event.delta.text;
        if (event.delta.type === 'thinking_delta') block.thinking += event.delta.thinking;
        if (event.delta.type === 'input_json_delta') block.partial = (block.partial ?? '') + event.delta.partial_json;
        break;
      case 'content_block_stop':
        if (block?.partial !== undefined) block.input = json(block.partial) ?? block.partial;
        break;
      case 'message_delta':
        Object.assign(message, event.delta, { usage: { ...message.usage, ...event.usage } });
        break;
      case 'error':
        message.error = event.error;
        break;
    }
  }
  return message;
}

// === the backend's side ===

/** One item. @param {any} item @param {string} place @returns {Piece[]} */
function itemPieces(item, place) {
  switch (item.type ?? 'message') {
    case 'message': {
      const role = item.role === 'developer' ? 'system' : item.role;
      const parts = typeof item.content === 'string' ? [{ text: item.content }] : item.content ?? [];
      return parts.map((/** @type {any} */ part, /** @type {number} */ at) => {
        const here = `${place}.content.${at}`;
        return part.text === undefined
          ? { key: `${part.type} ${here}`, kind: 'other', title: part.type, body: pretty(part), place: here }
          : said(role, part.text, here);
      });
    }
    case 'function_call':
    case 'custom_tool_call':
      return [{ key: `call ${plainId(item.call_id)}`, kind: 'call', title: item.name, body: pretty(json(item.arguments ?? '') ?? item.arguments ?? item.input ?? ''), place }];
    case 'function_call_output':
    case 'custom_tool_call_output':
      return [{ key: `result ${plainId(item.call_id)}`, kind: 'result', title: '', body: results(item.output), place }];
    case 'reasoning':
      return [{ key: 'thinking', kind: 'thinking', title: '', body: (item.summary ?? []).map((/** @type {any} */ part) => part.text).join('\n'), place }];
    case 'additional_tools':
      return (item.tools ?? []).map((/** @type {any} */ tool, /** @type {number} */ at) => offered(tool, `${place}.tools.${at}`));
    default:
      return [{ key: `${item.type} ${place}`, kind: 'other', title: String(item.type), body: pretty(item), place }];
  }
}

/** @param {string} text an OpenAI Responses request @returns {Piece[]} */
export function backendRequest(text) {
  const { input, tools, instructions, ...rest } = json(text) ?? {};
  const all = [
    ...(instructions ? [said('system', instructions, 'instructions')] : []),
    ...(typeof input === 'string' ? [said('user', input, 'input')] : (input ?? []).flatMap((/** @type {any} */ item, /** @type {number} */ at) => itemPieces(item, `input.${at}`))),
    ...(tools ?? []).map((/** @type {any} */ tool, /** @type {number} */ at) => offered(tool, `tools.${at}`)),
  ];
  // Tools stand first in one dialect and last in the other; here they stand last, as the client has them.
  const isTool = (/** @type {Piece} */ { kind }) => kind === 'tool';
  return [
    { key: 'parameters', kind: 'parameters', title: '', body: pretty(rest), place: '' },
    ...all.filter((piece) => !isTool(piece)),
    ...all.filter(isTool),
  ];
}

/** @param {string} text the backend's event stream @returns {Piece[]} */
export function backendAnswer(text) {
  const all = events(text);
  const pieces = all.filter(({ type }) => type === 'response.output_item.done').flatMap(({ item }, at) => itemPieces(item, `output.${at}`));
  const last = all.findLast(({ type }) => /^(response\.(completed|incomplete|failed)|error)$/.test(type));
  if (!last) return pieces;
  const { status, incomplete_details, error, usage } = last.response ?? last;
  return [...pieces, { key: 'end', kind: 'end', title: last.type, body: pretty({ status, incomplete_details, error, usage }), place: '' }];
}

// === both ===

/**
 * The pairs, in an order that keeps both sides' own. A piece that has no counterpart stands alone.
 * @param {Piece[]} left @param {Piece[]} right @param {Note[]} notes @returns {Pair[]}
 */
export function align(left, right, notes) {
  /** @type {Pair[]} */
  const pairs = [];
  const open = [...notes];
  const take = (/** @type {Piece | null} */ piece) => {
    if (!piece?.place) return [];
    const own = open.filter(({ place }) => place === piece.place || place.startsWith(`${piece.place}.`));
    for (const note of own) open.splice(open.indexOf(note), 1);
    return own;
  };
  const add = (/** @type {Piece | null} */ one, /** @type {Piece | null} */ other) =>
    pairs.push({ left: one, right: other, notes: [...take(one), ...take(other)] });
  let [at, there] = [0, 0];
  while (at < left.length || there < right.length) {
    if (at >= left.length) add(null, right[there++]);
    else if (there >= right.length) add(left[at++], null);
    else if (left[at].key === right[there].key) add(left[at++], right[there++]);
    else {
      const ahead = right.findIndex(({ key }, place) => place > there && key === left[at].key);
      const behind = left.findIndex(({ key }, place) => place > at && key === right[there].key);
      if (ahead >= 0 && (behind < 0 || ahead - there <= behind - at)) add(null, right[there++]);
      else if (behind >= 0) add(left[at++], null);
      else if (left[at].kind === right[there].kind) add(left[at++], right[there++]);
      else add(left[at++], null);
    }
  }
  const first = pairs[0];
  if (first) first.notes.push(...open); // of the request as a whole
  else if (open.length) pairs.push({ left: null, right: null, notes: open });
  return pairs;
}
