// Line drawings, 16 × 16, in the colour of the text around them. They repeat what a word beside them says.

import { html } from '../vendor/ui.js';

const paths = {
  overview: 'M2.5 7.5 8 3l5.5 4.5v5.5h-11zM6.5 13V9.5h3V13',
  accounts: 'M8 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM3 13.5c.6-2.4 2.5-3.6 5-3.6s4.4 1.2 5 3.6',
  models: 'M2.5 5.5h10M10 3l2.5 2.5L10 8M13.5 10.5h-10M6 8l-2.5 2.5L6 13',
  activity: 'M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01',
  usage: 'M3.5 13V9M8 13V3.5M12.5 13V6.5',
  settings: 'M2.5 5h5M11.5 5h2M2.5 11h2M8.5 11h5M11.5 5a2 2 0 1 1-4 0 2 2 0 0 1 4 0ZM8.5 11a2 2 0 1 1-4 0 2 2 0 0 1 4 0Z',
  tick: 'm3.5 8.5 3 3 6-7',
  cross: 'm4 4 8 8M12 4l-8 8',
  bad: 'M8 4.5v4M8 11h.01M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Z',
  arrow: 'M3 8h9.5M9 4.5 12.5 8 9 11.5',
  info: 'M8 7.5v4M8 5h.01M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Z',
};

/** @param {{ name: keyof typeof paths }} props */
export const Icon = ({ name }) => html`
  <svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.5"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${paths[name]} /></svg>
`;

/** The program's sign: two speech bubbles, what both say filled. As in icons/source/dragoman.svg. @param {{ on: boolean }} props */
export const Sign = ({ on }) => html`
  <svg viewBox="1 3 30 25" fill="none" stroke="currentColor" stroke-width="2.6" stroke-linejoin="round" aria-hidden="true">
    <path d="M7.8 21.8 2.8 25.6l1-7.5a8.6 8.6 0 1 1 4 3.7Z" />
    <path d="m24.2 21.8 5 3.8-1-7.5a8.6 8.6 0 1 0-4 3.7Z" />
    ${on && html`<path fill="currentColor" stroke="none" d="M16 6.7a8.6 8.6 0 0 1 0 14.6 8.6 8.6 0 0 1 0-14.6Z" />`}
  </svg>
`;
