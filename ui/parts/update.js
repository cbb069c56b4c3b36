// Newer versions of the desktop app: the choice to look for them, what is known, and installing on a click. Where nobody
// can look there is nothing to choose, and nothing is shown.

import { api } from '../verbs.js';
import { time } from '../format.js';
import { Button, Toggle } from './controls.js';
import { Group, Note, Row } from './layout.js';
import { complain, useSnapshot } from '../store.js';
import { text } from '../strings.js';
import { html } from '../vendor/ui.js';

/** @typedef {import('../api.d.ts').Update} Update */

const words = text.update;

export function Newer() {
  const update = useSnapshot()?.update;
  if (!update || update.state === 'unavailable') return null;
  return html`<${Group} title=${words.title} id="update">
    <${Row} title=${words.look} about=${words.lookAbout}>
      <${Toggle} id="update-check" on=${update.state !== 'off'} label=${words.look} onFlip=${(/** @type {boolean} */ on) => api.settings.set('updates.check', String(on))} />
    <//>
    ${update.state !== 'off' && html`<${Known} update=${update} />`}
  <//>`;
}

/** @param {{ update: Exclude<Update, { state: 'unavailable' | 'off' }> }} props */
function Known({ update }) {
  const look = html`<${Button} id="update-look" kind="quiet" onPress=${api.update.look} onError=${complain}>${words.lookNow}<//>`;
  const install = html`<${Button} id="update-install" kind="primary" onPress=${api.update.install} onError=${complain}>${words.install}<//>`;
  switch (update.state) {
    case 'looking':
      return html`<${Row} about=${words.looking} />`;
    case 'newest':
      return html`<${Row} title=${words.newest} about=${words.lookedAt(time(update.looked_at))}>${look}<//>`;
    case 'found':
      return html`<${Row} title=${words.found(update.version)} about=${update.notes ?? words.installAbout}>${install}<//>`;
    case 'installing':
      return html`<${Row} title=${words.installing(update.version)} about=${words.installingAbout} />`;
    case 'installed':
      return html`<${Row} title=${words.installed(update.version)} about=${words.installedAbout} />`;
    case 'failed':
      return html`<div class="pad"><${Note} tone="warn" role="alert" action=${update.version === null ? look : install}>${update.message}<//></div>`;
  }
}
