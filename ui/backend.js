// The only file that knows what the page talks to. Today that is Tauri's `invoke`.

/** @typedef {import('./view.js').Snapshot} Snapshot */

const tauri = /** @type {any} */ (window).__TAURI__;

/** @type {{ snapshot: () => Promise<Snapshot>, notice: () => Promise<string | null>,
 *   setServer: (on: boolean) => Promise<void>, environment: () => Promise<[string, string][]>,
 *   onSnapshot: (draw: (snapshot: Snapshot) => void) => Promise<unknown>,
 *   onNotice: (draw: (notice: string | null) => void) => Promise<unknown> }} */
export const backend = {
  snapshot: () => tauri.core.invoke('snapshot'),
  notice: () => tauri.core.invoke('notice'),
  setServer: (on) => tauri.core.invoke('set_server', { on }),
  environment: () => tauri.core.invoke('environment'),
  onSnapshot: (draw) => tauri.event.listen('snapshot', (/** @type {any} */ event) => draw(event.payload)),
  onNotice: (draw) => tauri.event.listen('notice', (/** @type {any} */ event) => draw(event.payload)),
};
