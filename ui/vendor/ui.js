// The one door to the vendored libraries. Their versions and checksums stand in tests/architecture/vendor.rs.

import htm from './htm.js';
import { h } from './preact.js';

export { createContext, Fragment, render } from './preact.js';
export { useCallback, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState } from './hooks.js';

/** @typedef {import('./preact.js').VNode<any>} Node */
/** @typedef {import('./preact.js').ComponentChildren} Children */

export const html = /** @type {(parts: TemplateStringsArray, ...values: unknown[]) => Node} */ (
  /** @type {unknown} */ (htm.bind(h))
);
