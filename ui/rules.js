// A rule of the model map as words and as its parts, and sets of rules that suit many. Pure; docs/models.md has the form:
// `[backend,]model [effort=…] [default_effort=…] [tier=…] [context=max]`.

/** @typedef {import('./api.d.ts').Listed} Listed */
/** @typedef {{ pool: string, model: string, effort: string, tier: string, more: string[] }} Rule `more`: what a page has no field for */
/** @typedef {'thorough' | 'sparing' | 'small'} Preset */

/** Those that can be sent, lowest first. @type {string[]} */
export const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

/** @param {string | null} words @param {Listed[]} listed @returns {Rule} */
export function read(words, listed) {
  const [name = '', ...wishes] = (words ?? '').split(' ').filter(Boolean);
  const [model, pool] = name.includes(',') ? [name.slice(name.indexOf(',') + 1), name.slice(0, name.indexOf(','))] : [name, ''];
  const wish = (/** @type {string} */ key) => wishes.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? '';
  const rule = { pool, model, effort: wish('effort'), tier: wish('tier'), more: wishes.filter((word) => !/^(effort|tier)=/.test(word)) };
  if (rule.effort || listed.some(({ id }) => id === model)) return rule;
  const suffix = EFFORTS.find((effort) => model.endsWith(`-${effort}`));
  return suffix ? { ...rule, model: model.slice(0, -suffix.length - 1), effort: suffix } : rule;
}

/** The words; `null` for a rule that names no model: there is none then. @param {Rule} rule */
export function write({ pool, model, effort, tier, more }) {
  if (!model) return null;
  return [pool ? `${pool},${model}` : model, effort && `effort=${effort}`, tier && `tier=${tier}`, ...more].filter(Boolean).join(' ');
}

/** What each preset says. A family that is `null` goes back to the catalog's order. @param {Listed[]} listed @returns {{ name: Preset, rules: [asks: string, target: string | null][] }[]} */
export function presets(listed) {
  if (listed.length === 0) return [];
  const first = listed[0];
  const like = (/** @type {string} */ word) => listed.find(({ id }) => id.split('-').includes(word));
  const middle = like('terra') ?? first;
  const small = like('luna') ?? like('mini') ?? listed[listed.length - 1];
  const high = first.efforts.includes('high') ? ' effort=high' : '';
  return [
    { name: 'thorough', rules: [['opus', `${first.id}${high}`], ['fable', `${first.id}${high}`], ['sonnet', first.id], ['haiku', null], ['default', null]] },
    { name: 'sparing', rules: [['opus', middle.id], ['fable', middle.id], ['sonnet', middle.id], ['haiku', small.id], ['default', middle.id]] },
    { name: 'small', rules: ['opus', 'fable', 'sonnet', 'haiku', 'default'].map((asks) => [asks, small.id]) },
  ];
}
