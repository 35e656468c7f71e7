// The metadata as a tree of rows: which keys there are, which are open, and which match a search.

/** More rows than this are not listed by a search. */
const MOST_FOUND = 500;

export class Leaves {
  constructor() {
    this.open = new Set(["/host", "/hosts", "/env", "/cluster"]);
    this.search = "";
    this.set([]);
  }

  /** Takes the leaves: key, value and kind of each, one after the other. */
  set(list) {
    this.values = new Map();
    this.root = new Map();
    this.counts = new Map();
    for (let at = 0; at < list.length; at += 3) {
      const [key, value, kind] = [list[at], list[at + 1], list[at + 2]];
      this.values.set(key, { value, kind });
      this.insert(key);
    }
  }

  insert(key) {
    const segments = key.slice(1).split("/");
    let [dir, path] = [this.root, ""];
    for (const segment of segments.slice(0, -1)) {
      path += `/${segment}`;
      if (!dir.has(path)) dir.set(path, { children: new Map() });
      dir.get(path).children ??= new Map();
      this.counts.set(path, (this.counts.get(path) ?? 0) + 1);
      dir = dir.get(path).children;
    }
    if (!dir.has(key)) dir.set(key, {});
  }

  /** The rows to show: key, name, depth, and for directories whether it is open. */
  rows() {
    if (this.search) return this.found();
    const rows = [];
    const walk = (dir, depth) => {
      for (const [key, { children }] of dir) {
        const isOpen = children ? this.open.has(key) : undefined;
        rows.push({ key, name: key.slice(key.lastIndexOf("/") + 1), depth, isOpen, ...this.values.get(key) });
        if (isOpen) walk(children, depth + 1);
      }
    };
    walk(this.root, 0);
    return rows;
  }

  /** The leaves that match the search, by their whole keys. */
  found() {
    const wanted = this.search.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [];
    let others = 0;
    for (const [key, leaf] of this.values) {
      const text = `${key} ${leaf.value}`.toLowerCase();
      if (!wanted.every((word) => text.includes(word))) continue;
      if (rows.length < MOST_FOUND) rows.push({ key, name: key, depth: 0, ...leaf });
      else others += 1;
    }
    if (others > 0) rows.push({ more: others });
    return rows;
  }

  /** Opens what is above a key. */
  reveal(key) {
    for (let end = key.indexOf("/", 1); end > 0; end = key.indexOf("/", end + 1)) {
      this.open.add(key.slice(0, end));
    }
  }

  has(key) {
    return this.values.has(key) || this.counts.has(key);
  }
}
