// Pointing: marks what belongs together in all panes, and says it in words at the bottom.

import { ask } from "./api.js";
import { byId, calm, element, unique } from "./dom.js";
import { showUses } from "./files.js";
import { words } from "./i18n.js";
import { leaves, markKeys, onPoint, revealKey } from "./metadata.js";
import { code as output } from "./output.js";
import { Provenance } from "./provenance.js";
import { state } from "./state.js";
import { code as template, showNumber } from "./template.js";

/** More keys than this are not spelt out. */
const MOST_KEYS = 12;
const NOTHING = { origins: new Set(), weakOrigins: new Set(), nodes: new Set(), weakNodes: new Set() };

let provenance = new Provenance(null);
let texts = [];
/** What is pointed at: { origin } or { key }; and what was kept with a click. */
let kept = null;

/** Goes on with another output; what was kept stays if it is still there. */
export function setOutput(file) {
  const before = kept?.origin === undefined ? null : provenance.describe(kept.origin);
  provenance = new Provenance(file?.output);
  texts = file?.output?.templates ?? [];
  if (before !== null) {
    const origin = provenance.find(before);
    kept = origin < 0 ? null : { origin };
  }
  return provenance;
}

/** Marks again, after panes were shown again. */
export function remark() {
  point(kept);
}

function point(what) {
  if (what?.origin !== undefined) return pointAtOrigin(what.origin);
  if (what?.key !== undefined) return pointAtKey(what.key);
  mark(NOTHING, []);
  askUses(null);
  say(words().hint);
}

function mark(found, keys) {
  output.mark(found.origins, found.weakOrigins);
  template.mark(found.nodes, found.weakNodes);
  markKeys(keys);
}

function pointAtOrigin(number) {
  const found = provenance.of(number);
  if (!found) return;
  const keys = unique(found.reads.flatMap(([, , keys]) => keys));
  mark(found, keys);
  askUses(null);
  const { template: index, start, end } = found.origin;
  const because = found.causes.map((cause) => [" · ", words().because, " ", source(cause.template, cause.start, cause.end), ...keyButtons(cause.reads)]);
  const isText = found.reads.length === 0 && !isAction(index, start);
  say(
    isText ? `${words().text} ` : "",
    source(index, start, end),
    ...keyButtons(found.reads),
    ...because.flat(),
  );
}

/** Returns true when a place in a template is inside an action. */
function isAction(index, start) {
  const before = texts[index]?.text.slice(0, start) ?? "";
  return before.lastIndexOf("{{") > before.lastIndexOf("}}");
}

/** A part of a template, with its line. */
function source(index, start, end) {
  const { name, text } = texts[index] ?? { name: "", text: "" };
  const line = text.slice(0, start).split("\n").length;
  const part = text.slice(start, end);
  const shown = part.length > 120 ? `${part.slice(0, 120)}…` : part;
  return element("span", {}, element("code", {}, shown), ` ${name}:${line}`);
}

function keyButtons(reads) {
  const keys = unique(reads.flatMap(([, , keys]) => keys));
  if (keys.length === 0) return [];
  const arrow = element("span", { class: "arrow" }, "←");
  const shown = keys.slice(0, MOST_KEYS).map((key) => keyButton(key));
  const rest = keys.length > MOST_KEYS ? [words().more(keys.length - MOST_KEYS)] : [];
  return [arrow, ...[...shown, ...rest].flatMap((one) => [one, " "])];
}

function keyButton(key) {
  const value = leaves.values.get(key)?.value;
  return element("button", { class: "key", type: "button", title: value ?? "", onclick: () => keep({ key }) }, key);
}

function pointAtKey(key) {
  mark(provenance.from(key), [key]);
  say(element("code", {}, key));
  askUses(key);
}

/** Asks which files use a key, until all have been looked at. */
const askLater = calm(100, async (key) => {
  const found = [];
  for (let next = 0, left = Infinity; left > 0; ) {
    const answer = await ask("uses", { ...state, key, after: next });
    if (!answer?.files || pointedKey !== key) return;
    // The program began from the start: too many other pages ask.
    if (answer.left >= left) return askLater(key);
    ({ next, left } = answer);
    found.push(...answer.files);
    showUses(found);
    sayUses(key, found, left);
  }
});

function sayUses(key, found, left) {
  const files = found.map(({ file, lines, decided }) => `${file} (${words().uses(lines.length + decided.length)})`);
  if (left > 0) files.push(words().left(left));
  say(element("code", {}, key), " · ", files.length ? `${words().used_in} ${files.join(", ")}` : words().used_nowhere);
}

let pointedKey = null;

function askUses(key) {
  pointedKey = key;
  if (key === null) showUses(null);
  else askLater(key);
}

function say(...content) {
  byId("origin").replaceChildren(...content);
}

/** Keeps what is pointed at until something else is, and shows all of it. */
export function keep(what) {
  kept = what;
  point(what);
  if (what?.key !== undefined) {
    output.revealMarked();
    template.revealMarked();
    revealKey(what.key);
    markKeys([what.key]);
  } else if (what?.origin !== undefined) {
    const found = provenance.of(what.origin);
    showNumber(found.origin.template);
    template.mark(found.nodes, found.weakNodes);
    template.revealMarked();
    const keys = unique(found.reads.flatMap(([, , keys]) => keys));
    if (keys.length) revealKey(keys[0]);
    markKeys(keys);
  }
}

export function letGo() {
  output.setCursor(null);
  keep(null);
}

onPoint((key, isKept) => {
  if (isKept) keep({ key });
  else point(key === null ? kept : { key });
});

const pane = byId("output");
const pieceOf = (event) => event.target.closest?.(".origin-of");
pane.addEventListener("mouseover", (event) => {
  const piece = pieceOf(event);
  point(piece ? { origin: output.idOf(piece) } : kept);
});
pane.addEventListener("mouseleave", () => point(kept));
pane.addEventListener("click", (event) => {
  const piece = pieceOf(event);
  // Who selects text does not point.
  if (piece && getSelection().isCollapsed) keep({ origin: output.idOf(piece) });
});
pane.addEventListener("keydown", (event) => {
  const [rows, pieces] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [];
  if (rows === undefined && event.key !== "Enter") return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (event.key === "Enter") {
    const here = output.cursor && output.lines[output.cursor.row]?.pieces[output.cursor.place];
    if (here) keep({ origin: here[1] });
    return;
  }
  const origin = output.move(rows, pieces);
  if (origin !== null) point({ origin });
});
byId("template").addEventListener("mouseover", (event) => {
  const piece = pieceOf(event);
  if (!piece) return point(kept);
  const node = template.idOf(piece);
  const origins = provenance.at(node);
  const found = { ...NOTHING, origins, nodes: new Set([node]) };
  mark(found, provenance.keysOf(origins));
});
byId("template").addEventListener("mouseleave", () => point(kept));
