// The two sides of a recorded request beside each other, with what was changed between them.

import { chatAnswer, chatRequest, responsesAnswer, responsesRequest } from '../align-openai.js';
import { align, backendAnswer, backendRequest, clientAnswer, clientRequest } from '../align.js';
import { text } from '../strings.js';
import { html, useMemo, useState } from '../vendor/ui.js';
import { Select } from './controls.js';
import { Icon } from './icons.js';

/** @typedef {import('../api.d.ts').Recorded} Recorded */
/** @typedef {import('../api.d.ts').Note} Note */
/** @typedef {import('../align.js').Piece} Piece */
/** @typedef {import('../align.js').Pair} Pair */

const words = text.sides;
/** So much of a block is shown; whoever wants more exports it. */
const LONGEST = 20_000;
/** What is long and seldom looked at is folded. */
const FOLDED = ['tool', 'system'];

/** How to read what a client sent and got. @type {Record<Recorded['door'], [request: (text: string) => Piece[], answer: (text: string) => Piece[]]>} */
const DOORS = {
  messages: [clientRequest, clientAnswer],
  responses: [responsesRequest, responsesAnswer],
  chat: [chatRequest, chatAnswer],
};

/** @param {{ recorded: Recorded, notes: Note[] }} props */
export function Sides({ recorded, notes }) {
  const { door, request, upstream, answer } = recorded;
  const [asked, answered] = DOORS[door];
  const [number, setNumber] = useState(upstream.length - 1);
  const sent = upstream[number]?.request ?? '';
  const requests = useMemo(() => align(asked(request), backendRequest(sent), notes), [door, request, sent, notes]);
  const answers = useMemo(() => align(answered(answer), upstream.flatMap(({ events }) => backendAnswer(events)), []), [door, answer, upstream]);
  return html`
    <${Side} title=${words.request} pairs=${requests} id="request-sides" end=${upstream.length > 1 &&
    html`<${Select} id="which-request" label=${words.which} value=${String(number)} onPick=${(/** @type {string} */ value) => setNumber(Number(value))}
      options=${upstream.map((_, at) => [String(at), words.number(at + 1, upstream.length)])} />`} />
    <${Side} title=${words.answer} pairs=${answers} id="answer-sides" />
    <section class="group" aria-label=${words.raw}>
      <${Raw} id="client-events" title=${words.clientEvents} body=${answer} />
      <${Raw} id="backend-events" title=${words.backendEvents} body=${upstream.map(({ events }) => events).join('\n')} />
    </section>
  `;
}

/** @param {{ title: string, pairs: Pair[], id: string, end?: unknown }} props */
const Side = ({ title, pairs, id, end }) => html`<section class="group sides" id=${id} aria-label=${title}>
  <div class="group-head"><h2>${title}</h2>${end && html`<div class="line">${end}</div>`}</div>
  <div class="card">
    <div class="pair muted small" aria-hidden="true"><span>${words.client}</span><span></span><span>${words.backend}</span></div>
    ${pairs.map((pair, at) => html`<div class="pair" key=${at}>
      <${Block} piece=${pair.left} side=${words.client} />
      <div class="marks">
        ${pair.notes.map((note, number) => html`<details class="mark" key=${number}><summary aria-label=${text.activity.what[note.what]}><${Icon} name="info" /></summary>
          <p class="small"><strong>${text.activity.what[note.what]}</strong><br />${[note.place, note.detail].filter(Boolean).join(' · ')}</p></details>`)}
        ${pair.notes.length === 0 && pair.left && pair.right && html`<span class="muted"><${Icon} name="arrow" /></span>`}
      </div>
      <${Block} piece=${pair.right} side=${words.backend} />
    </div>`)}
  </div>
</section>`;

/** @param {{ piece: Piece | null, side: string }} props */
function Block({ piece, side }) {
  if (!piece) return html`<div class="block none"><span class="unseen">${words.nothing(side)}</span></div>`;
  const kind = words.kinds[piece.kind];
  const name = piece.title ? `${kind} ${piece.title}` : kind;
  return html`<details class="block" open=${!FOLDED.includes(piece.kind)}>
    <summary class="small muted">${kind}${piece.title && html` <code>${piece.title}</code>`}</summary>
    <pre tabindex="0" role="group" aria-label=${`${side}: ${name}`}>${cut(piece.body) || text.none}</pre>
  </details>`;
}

/** @param {{ title: string, body: string, id: string }} props */
const Raw = ({ title, body, id }) => html`<details class="card raw" id=${id}>
  <summary>${title}</summary>
  <pre class="pad" tabindex="0" role="group" aria-label=${title}>${cut(body) || text.none}</pre>
</details>`;

/** @param {string} body */
const cut = (body) => (body.length > LONGEST ? `${body.slice(0, LONGEST)}\n${words.more(body.length - LONGEST)}` : body);
