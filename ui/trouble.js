// The window of a program that could not start (src-tauri/trouble.rs). It has nothing to ask: the sentence stands in
// the page's own address.

import { text } from './strings.js';

const message = new URLSearchParams(location.search).get('message') ?? '';
const put = (/** @type {string} */ id, /** @type {string} */ words) => {
  const element = document.getElementById(id);
  if (element) element.textContent = words;
};
put('title', text.trouble.title);
put('message', message);
put('advice', text.trouble.advice);
