// What belongs together: parts of the output, nodes of the template, and keys of the metadata.
//
// Knows only the numbers of the program's answer: an origin is [template, start, end, set, cause];
// a set has reads and, as negative numbers, other sets before it.

export class Provenance {
  /** `output` is the traced output of the file that is shown; null when there is none. */
  constructor(output) {
    this.origins = output?.origins ?? [];
    this.causes = output?.causes ?? [];
    this.sets = output?.sets ?? [[]];
    this.reads = output?.reads ?? [];
    this.names = (output?.templates ?? []).map(({ name }) => name);
  }

  /** What a part of the output comes from. */
  of(number) {
    const origin = this.origins[number];
    if (!origin) return null;
    const [template, start, end, set, cause] = origin;
    const causes = this.chain(cause);
    return {
      origins: new Set([number]),
      weakOrigins: new Set(),
      nodes: new Set([nodeId(template, start)]),
      weakNodes: new Set(causes.map(([t, s]) => nodeId(t, s))),
      reads: this.readsOf(set),
      causes: causes.map(([t, s, e, reads]) => ({
        template: t,
        start: s,
        end: e,
        reads: this.readsOf(reads),
      })),
      origin: { template, start, end },
    };
  }

  /** The place and the keys of an origin, by which it is found again in another output. */
  describe(number) {
    const set = this.origins[number]?.[3] ?? 0;
    const keys = this.readsOf(set).map(([, , found]) => found);
    return { place: this.placeOf(number), keys: JSON.stringify(keys) };
  }

  placeOf(number) {
    const [template, start, end] = this.origins[number] ?? [];
    return `${this.names[template]} ${start} ${end}`;
  }

  /** The number of an origin that was described; -1 when it is not there. */
  find({ place, keys }) {
    const isIt = (_, number) => this.placeOf(number) === place && this.describe(number).keys === keys;
    return this.origins.findIndex(isIt);
  }

  /** What comes from a key, or from one below it. */
  from(key) {
    const below = `${key.replace(/\/+$/, "")}/`;
    const isMeant = (known) => known === key || known.startsWith(below);
    const reads = this.reads.map(([, , keys]) => keys.some(isMeant));
    const sets = [];
    for (const set of this.sets) sets.push(set.some((one) => (one < 0 ? sets[-one] : reads[one])));
    const depends = this.causes.map((_, index) => this.chain(index).some((cause) => sets[cause[3]]));
    const found = { origins: new Set(), weakOrigins: new Set(), nodes: new Set(), weakNodes: new Set() };
    this.origins.forEach(([template, start, , set, cause], number) => {
      if (sets[set]) {
        found.origins.add(number);
        found.nodes.add(nodeId(template, start));
      } else if (depends[cause]) {
        found.weakOrigins.add(number);
      }
    });
    this.causes.forEach((cause) => {
      if (sets[cause[3]]) found.weakNodes.add(nodeId(cause[0], cause[1]));
    });
    return found;
  }

  /** The origins of all that a node has written. */
  at(node) {
    const numbers = this.origins.flatMap(([template, start], number) => (nodeId(template, start) === node ? [number] : []));
    return new Set(numbers);
  }

  /** The keys that origins have read. */
  keysOf(origins) {
    const sets = new Set([...origins].map((number) => this.origins[number][3]));
    return this.readsOf(...sets).flatMap(([, , keys]) => keys);
  }

  /** All reads of sets. */
  readsOf(...sets) {
    const open = [...sets];
    const seen = new Set(open);
    const reads = new Set();
    while (open.length > 0) {
      for (const one of this.sets[open.pop()]) {
        if (one >= 0) reads.add(one);
        else if (!seen.has(-one)) {
          seen.add(-one);
          open.push(-one);
        }
      }
    }
    return [...reads].sort((one, other) => one - other).map((read) => this.reads[read]);
  }

  /** A cause and those around it, the innermost first. */
  chain(cause) {
    const chain = [];
    for (let index = cause; index > 0; index = this.causes[index][4]) chain.push(this.causes[index]);
    return chain;
  }

  /** The places of nodes in a template, in order: each a start and an end. */
  nodes(template) {
    const places = new Map();
    for (const [t, start, end] of [...this.origins, ...this.causes]) {
      if (t === template && end > start) places.set(start, end);
    }
    return [...places].sort(([one], [other]) => one - other);
  }
}

/** The name of a node among those of all templates. */
export const nodeId = (template, start) => `${template}:${start}`;
