// What is looked at, and the edits that are tried. Survives a reload of the page, not the tab.

const KEY = "confd-lab";

const stored = JSON.parse(sessionStorage.getItem(KEY + location.pathname) ?? "null");

/** The selection and the edits, as requests have them. */
export const state = {
  node: null,
  stage: null,
  about: null,
  file: null,
  edits: [],
  ...stored,
};

const listeners = [];

/** Calls `listener` after each change of the state, with the names of what changed. */
export function onChange(listener) {
  listeners.push(listener);
}

/** Changes the state. */
export function change(values) {
  const names = Object.keys(values).filter((name) => state[name] !== values[name]);
  if (names.length === 0) return;
  Object.assign(state, values);
  sessionStorage.setItem(KEY + location.pathname, JSON.stringify(state));
  listeners.forEach((listener) => listener(names));
}

/** Tries a change of the metadata: a value, or null to remove the key and all below it. */
export function edit(...edits) {
  const changed = new Set(edits.map(([key]) => key));
  const others = state.edits.filter(([key]) => !changed.has(key));
  change({ edits: [...others, ...edits] });
}

export function undo() {
  change({ edits: state.edits.slice(0, -1) });
}

export function reset() {
  change({ edits: [] });
}
