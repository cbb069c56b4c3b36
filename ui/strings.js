// Every word that the pages show. Another language is another object of this shape.

export const text = {
  server: {
    on: 'On',
    off: 'Off',
    failed: 'Not listening',
    switch: 'Dragoman on',
    listening: 'Listening on',
    offHint: 'Claude Code gets no answer while Dragoman is off.',
    retryHint: 'Switch on to try again.',
  },
  account: {
    heading: 'Account',
    demo: 'Demo model: it answers without an account',
    apiKey: 'API key of the Codex CLI',
    none: 'No account yet. Sign in in a terminal: dragoman login',
    ready: 'signed in',
    signIn: 'sign in again',
  },
  environment: {
    heading: 'Claude Code',
    hint: 'Run this in the terminal where you start Claude Code:',
    copy: 'Copy',
    copied: 'Copied',
    failed: 'Copying did not work. `dragoman env` prints the same lines.',
  },
  notice: {
    noHost:
      'No tray was found, so this window opened instead. Closing it quits Dragoman. ' +
      'GNOME shows tray icons with the extension “AppIndicator and KStatusNotifierItem Support”.',
    noLibrary:
      'The tray icon needs a library that is missing here, so this window opened instead. Closing it quits Dragoman. ' +
      'On Debian and Ubuntu: sudo apt install libayatana-appindicator3-1',
  },
  trouble: {
    title: 'Dragoman did not start',
    advice: 'Put this right and start Dragoman again. Closing this window quits.',
  },
};
