// What clients of OpenAI's two APIs sent and got, as pieces like those of the others (`align.js`). Pure.

import { backendAnswer, backendRequest, events, json, offered, plainId, pretty, results, said } from './align.js';

/**
 * @typedef {import('./align.js').Piece} Piece
 * @typedef {import('./api.d.ts').Recorded['door']} Door
 */

/** A Responses request is what the backend is asked, too. @param {string} text @returns {Piece[]} */
export const responsesRequest = (text) => backendRequest(text);

/** @param {string} text an event stream, or one response @returns {Piece[]} */
export function responsesAnswer(text) {
  const whole = text.startsWith('{') ? json(text) : null;
  if (!whole) return backendAnswer(text);
  const items = (whole.output ?? []).map((/** @type {any} */ item) => ({ type: 'response.output_item.done', item }));
  const all = [...items, { type: whole.status === 'incomplete' ? 'response.incomplete' : 'response.completed', response: whole }];
  return backendAnswer(all.map((event) => `data: ${JSON.stringify(event)}`).join('\n'));
}

/** @param {any} part @param {string} role @param {string} place @returns {Piece} */
function partPiece(part, role, place) {
  const words = part.text ?? part.refusal;
  return words === undefined
    ? { key: `${part.type} ${place}`, kind: 'other', title: String(part.type), body: pretty(part), place }
    : said(role, words, place);
}

/** @param {any} call @param {string} place @returns {Piece} */
function callPiece(call, place) {
  const { name, arguments: given, input } = call.function ?? call.custom ?? {};
  return { key: `call ${plainId(call.id)}`, kind: 'call', title: String(name), body: pretty(json(given ?? '') ?? given ?? input), place };
}

/** @param {any} message @param {number} number @returns {Piece[]} */
function messagePieces(message, number) {
  const place = `messages.${number}`;
  const role = message.role === 'developer' ? 'system' : message.role;
  if (role === 'tool') {
    return [{ key: `result ${plainId(message.tool_call_id)}`, kind: 'result', title: '', body: results(message.content), place }];
  }
  const parts = typeof message.content === 'string' ? [{ text: message.content }] : message.content ?? [];
  return [
    ...parts.map((/** @type {any} */ part, /** @type {number} */ at) => partPiece(part, role, `${place}.content.${at}`)),
    ...(message.tool_calls ?? []).map((/** @type {any} */ call, /** @type {number} */ at) => callPiece(call, `${place}.tool_calls.${at}`)),
  ];
}

/** @param {string} text a chat @returns {Piece[]} */
export function chatRequest(text) {
  const { messages, tools, ...rest } = json(text) ?? {};
  return [
    { key: 'parameters', kind: 'parameters', title: '', body: pretty(rest), place: '' },
    ...(messages ?? []).flatMap(messagePieces),
    ...(tools ?? []).map((/** @type {any} */ tool, /** @type {number} */ at) => offered(tool.function ?? tool.custom ?? tool, `tools.${at}`)),
  ];
}

/** @param {string} text chunks, or one completion @returns {Piece[]} */
export function chatAnswer(text) {
  const whole = text.startsWith('{') ? json(text) : joined(events(text));
  const choice = whole?.choices?.[0];
  if (!choice) return whole?.error ? [{ key: 'end', kind: 'end', title: '', body: pretty({ error: whole.error }), place: '' }] : [];
  const { content, reasoning_content, tool_calls } = choice.message;
  /** @type {Piece[]} */
  const pieces = [];
  if (reasoning_content) pieces.push({ key: 'thinking', kind: 'thinking', title: '', body: reasoning_content, place: 'reasoning_content' });
  if (content) pieces.push(said('assistant', content, 'content'));
  pieces.push(...(tool_calls ?? []).map((/** @type {any} */ call, /** @type {number} */ at) => callPiece(call, `tool_calls.${at}`)));
  const end = whole.error ? { error: whole.error } : { finish_reason: choice.finish_reason, usage: whole.usage };
  return [...pieces, { key: 'end', kind: 'end', title: '', body: pretty(end), place: '' }];
}

/** The completion that chunks add up to. @param {any[]} chunks */
function joined(chunks) {
  /** @type {any} */
  const message = { content: '', reasoning_content: '', tool_calls: [] };
  /** @type {any} */
  const whole = { choices: [{ message, finish_reason: null }] };
  for (const { choices, usage, error } of chunks) {
    if (usage) whole.usage = usage;
    if (error) whole.error = error;
    const [choice] = choices ?? [];
    if (!choice) continue;
    whole.choices[0].finish_reason = choice.finish_reason ?? whole.choices[0].finish_reason;
    message.content += choice.delta.content ?? '';
    message.reasoning_content += choice.delta.reasoning_content ?? '';
    for (const { index, ...call } of choice.delta.tool_calls ?? []) {
      const there = (message.tool_calls[index] ??= call);
      if (there !== call) there.function.arguments += call.function?.arguments ?? '';
    }
  }
  return whole;
}
