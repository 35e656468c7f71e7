// What belongs together: parts of the output, nodes of the template, and keys of the metadata.
//
// Knows only the numbers of the program's answer: an origin is [template, start, end, set, cause].

export class Provenance {
  /** `output` is the traced output of the file that is shown; null when there is none. */
  constructor(output) {
    this.origins = output?.origins ?? [];
    this.causes = output?.causes ?? [];
    this.sets = output?.sets ?? [[]];
    this.reads = output?.reads ?? [];
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
      reads: this.sets[set].map((read) => this.reads[read]),
      causes: causes.map(([t, s, e, reads]) => ({
        template: t,
        start: s,
        end: e,
        reads: this.sets[reads].map((read) => this.reads[read]),
      })),
      origin: { template, start, end },
    };
  }

  /** What comes from a key, or from one below it. */
  from(key) {
    const below = `${key.replace(/\/+$/, "")}/`;
    const isMeant = (known) => known === key || known.startsWith(below);
    const reads = this.reads.map(([, , keys]) => keys.some(isMeant));
    const sets = this.sets.map((set) => set.some((read) => reads[read]));
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
    return [...sets].flatMap((set) => this.sets[set].flatMap((read) => this.reads[read][2]));
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
