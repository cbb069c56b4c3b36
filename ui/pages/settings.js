// Every setting, with what it does, where its value comes from and a way back to the default. They count at once, or say when.

import { api } from '../verbs.js';
import { Filter, Line, Select, Toggle } from '../parts/controls.js';
import { Awaiting, Empty, ErrorNote, Group, Note, Page } from '../parts/layout.js';
import { inWords, told, useKept, useSettings, useSnapshot, useStore } from '../store.js';
import { text } from '../strings.js';
import { html, useState } from '../vendor/ui.js';

/** @typedef {import('../api.d.ts').Setting} Entry */

const words = text.settings;

export function Settings() {
  const settings = useSettings();
  const [filter, setFilter] = useState('');
  const canLook = useStore((state) => state.snapshot?.update.state ?? 'unavailable') !== 'unavailable';
  // Where nobody can look for newer versions, there is nothing to choose about it.
  const entries = (settings.value ?? []).filter((entry) => matches(entry, filter) && (canLook || !entry.key.startsWith('updates.')));
  const sections = [...new Set(entries.map(({ key }) => key.split('.')[0]))];
  return html`<${Page} title=${words.title} action=${html`<${Filter} value=${filter} onInput=${setFilter} label=${words.filter} />`}>
    ${settings.error != null && html`<${ErrorNote} error=${settings.error} again=${settings.again} />`}
    ${!filter && html`<${Appearance} />`}
    ${!settings.value && !settings.error && html`<${Awaiting} words=${words.awaiting} />`}
    ${filter && entries.length === 0 && html`<${Group}><${Empty} title=${words.nothingFound}>${words.nothingFoundAbout}<//><//>`}
    ${sections.map(
      (section) => html`<${Group} key=${section} title=${words.sections[section] ?? section}>
        ${entries.filter(({ key }) => key.startsWith(`${section}.`)).map((entry) => html`<${Setting} key=${entry.key} entry=${entry} again=${settings.again} />`)}
        ${section === 'mcp' && html`<${McpServers} />`}
      <//>`,
    )}
    <p class="muted small">${words.where}</p>
  <//>`;
}

/** How the MCP servers fare that are asked for their tools. */
function McpServers() {
  const servers = useSnapshot()?.mcp ?? [];
  if (servers.length === 0) return null;
  return html`<div class="row setting">
    <div class="row-words">
      <p>${words.mcp.title}</p>
      <ul class="plain" data-mcp>
        ${servers.map(
          ({ name, state, tools, error }) => html`<li key=${name} class="small">
            <code>${name}</code> <span class=${state === 'failed' ? 'bad' : 'muted'}>${words.mcp.states[state]}${state === 'ready' ? `, ${words.mcp.tools(tools)}` : ''}</span>
            ${error && html`<span class="muted"> — ${error}</span>`}
          </li>`,
        )}
      </ul>
    </div>
  </div>`;
}

/** @param {Entry} entry @param {string} filter */
function matches({ key, about, documentation }, filter) {
  return `${key} ${words.keys[key] ?? ''} ${about} ${documentation}`.toLowerCase().includes(filter.trim().toLowerCase());
}

/** How this page looks. Kept in this browser only. */
function Appearance() {
  const [theme, setTheme] = useKept('theme', 'system');
  return html`<${Group} title=${words.appearance}>
    <div class="row setting">
      <div class="row-words"><p>${words.theme}</p><p class="muted small">${words.themeAbout}</p></div>
      <div class="row-end"><${Select} id="theme" value=${theme} label=${words.theme} options=${words.themes} onPick=${(/** @type {string} */ theme) => {
        setTheme(theme);
        dress(theme);
      }} /></div>
    </div>
  <//>`;
}

/** @param {string} theme */
export function dress(theme) {
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** @param {{ entry: Entry, again: () => void }} props */
function Setting({ entry, again }) {
  const { key, kind, value, source, documentation, choices, counts } = entry;
  const title = words.keys[key] ?? key;
  const [failure, setFailure] = useState(/** @type {string | null} */ (null));
  const locked = source.from === 'environment' || source.from === 'flag';
  /** @param {string | null} value */
  async function set(value) {
    setFailure(null);
    try {
      await api.settings.set(key, value);
      told(words.saved(title, counts));
    } catch (error) {
      setFailure(inWords(error));
    }
    again();
  }
  const id = `set-${key.replace('.', '-')}`;
  const named = words.choices[key] ?? {};
  const control =
    kind === 'switch'
      ? html`<${Toggle} id=${id} on=${value === 'true'} label=${title} disabled=${locked} onFlip=${(/** @type {boolean} */ on) => set(String(on))} />`
      : choices.length > 0
        ? html`<${Select} id=${id} value=${value ?? ''} label=${title} disabled=${locked}
            options=${[...(entry.default == null ? [['', named[''] ?? words.notSet]] : []), ...choices.map((choice) => [choice, named[choice] ?? choice])]}
            onPick=${(/** @type {string} */ value) => set(value || null)} />`
        : html`<${Line} id=${id} value=${value ?? ''} label=${title} mono disabled=${locked} hint=${entry.default ?? words.notSet} onDone=${(/** @type {string} */ value) => set(value || null)} />`;
  return html`<div class=${kind === 'switch' || choices.length > 0 ? 'row setting' : 'row setting typed'} data-key=${key}>
    <div class="row-words">
      <p>${title} <code class="muted small">${key}</code></p>
      ${paragraphs(documentation)}
      ${source.from !== 'default' &&
      html`<p class="small">${
        source.from === 'file'
          ? html`${words.sources.file(source.path, source.line)} <button type="button" class="link" onClick=${() => set(null)}>${words.reset}</button>`
          : words.sources[source.from](source.name)
      }</p>`}
      ${failure && html`<${Note} tone="bad" role="alert">${failure}<//>`}
    </div>
    <div class="row-end">${control}</div>
  </div>`;
}

/** The paragraphs of a key's documentation without the last one, which says what the page shows already. Links lose their address, code keeps its look. @param {string} markdown */
function paragraphs(markdown) {
  const all = markdown.split(/\n\n+/).filter((part) => !part.startsWith('Default:'));
  return all.map((part) => {
    if (part.startsWith('```')) return html`<pre class="code" tabindex="0">${part.split('\n').slice(1, -1).join('\n')}</pre>`;
    const words = part
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .split('`')
      .map((words, at) => (at % 2 === 1 ? html`<code>${words}</code>` : words));
    return html`<p class="muted small">${words}</p>`;
  });
}
