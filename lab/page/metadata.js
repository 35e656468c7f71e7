// The pane of the metadata: the tree, its search, and the edits that are tried.

import { byId, element } from "./dom.js";
import { words } from "./i18n.js";
import { Leaves } from "./leaves.js";
import { Rows } from "./rows.js";
import { edit, state } from "./state.js";

const HEIGHT = 24;
/** More of a value is not shown in its row. */
const LONGEST = 1000;

export const leaves = new Leaves();

let rows = [];
let current = null;
let editing = null;
let pointed = new Set();
let above = new Set();
let listener = () => {};
/** The directory in /hosts of the node that looks: its /host shows the same. */
let ownDirectory = null;

const tree = () => byId("tree");
const list = new Rows(byId("tree"), HEIGHT, make);

/** Calls `pointing(key, isKept)` when a key is pointed at; with null when no longer. */
export function onPoint(pointing) {
  listener = pointing;
}

/** Shows new leaves; what is open, current and in sight stays. */
export function showLeaves(found, node) {
  if (found) leaves.set(found);
  ownDirectory = node ? `/hosts/${node}` : null;
  showTree();
}

export function showTree() {
  // What is being typed stays; the tree is shown again afterwards.
  if (editing !== null && document.activeElement?.matches("#tree textarea")) return;
  rows = leaves.rows();
  list.show(rows.length);
  if (rows.length === 0) {
    tree().replaceChildren(element("p", { class: "nothing" }, words().nothing_found));
  }
}

function make(index) {
  const row = rows[index];
  if (row.more) return element("div", { class: "node", "data-row": index }, words().more(row.more));
  const isDirectory = row.isOpen !== undefined;
  const kinds = ["node", row.kind === 1 && "edited", row.kind === 2 && "made"];
  const shown = element(
    "div",
    {
      class: kinds.filter(Boolean).join(" "),
      role: "treeitem",
      "data-row": index,
      "data-key": row.key,
      "aria-level": row.depth + 1,
      "aria-expanded": isDirectory ? String(row.isOpen) : null,
      style: null,
      title: row.kind === 2 && !source(row.key) ? words().made : row.key,
    },
    element("span", { class: "twist" }, isDirectory ? (row.isOpen ? "▾" : "▸") : ""),
    element("span", { class: "name" }, row.name),
  );
  shown.style.paddingLeft = `${4 + 14 * row.depth}px`;
  if (row.value !== undefined) shown.append(editing === row.key ? input(row) : value(row));
  else shown.append(element("span", { class: "count" }, String(leaves.counts.get(row.key) ?? "")));
  shown.append(actions(row));
  paint(shown, row.key);
  return shown;
}

function value(row) {
  if (row.value === "") return element("span", { class: "value empty" }, words().no_value);
  const isLong = row.value.length > LONGEST;
  return element("span", { class: "value" }, isLong ? `${row.value.slice(0, LONGEST)}…` : row.value);
}

function input(row) {
  // Unlike an input, it keeps line ends.
  const field = element("textarea", { rows: "1", "aria-label": row.key, spellcheck: "false" });
  field.value = row.value;
  const before = field.value;
  const finish = (isKept) => {
    if (editing !== row.key) return;
    editing = null;
    if (isKept && field.value !== before) edit([source(row.key) ?? row.key, field.value]);
    else showTree();
    tree().focus();
  };
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.shiftKey) finish(true);
    if (event.key === "Escape") finish(false);
  });
  field.addEventListener("blur", () => finish(true));
  // Once it is in the page, and before the next key is pressed.
  queueMicrotask(() => {
    field.focus();
    field.select();
  });
  return field;
}

/** The key whose value is to be changed for a row; null when the stage alone makes it. */
function source(key) {
  const leaf = leaves.values.get(key);
  if (leaf && leaf.kind !== 2) return key;
  const twin = ownDirectory && key.startsWith("/host/") ? ownDirectory + key.slice("/host".length) : null;
  const isRecorded = twin && leaves.values.has(twin) && leaves.values.get(twin).kind !== 2;
  return isRecorded ? twin : null;
}

function actions(row) {
  const made = element("span", { class: "do" });
  const add = (name, work) => made.append(element("button", { type: "button", tabindex: "-1", onclick: work }, words()[name]));
  if (row.value !== undefined && source(row.key)) {
    add("edit", () => begin(row.key));
    if (row.value !== "") add("empty", () => edit([source(row.key), ""]));
  }
  if (row.kind !== 2 && (row.isOpen !== undefined || source(row.key))) {
    add("remove", () => edit([row.key, null]));
  }
  return made;
}

/** Begins to edit a value in its row. */
function begin(key) {
  if (!source(key)) return;
  editing = key;
  showTree();
}

function paint(shown, key) {
  shown.classList.toggle("current", key === current);
  shown.classList.toggle("pointed", pointed.has(key));
  shown.classList.toggle("above", !pointed.has(key) && above.has(key));
}

function repaint() {
  for (const shown of list.elements) if (shown.dataset.key) paint(shown, shown.dataset.key);
}

/** Marks keys, and what is above those that are not in sight. */
export function markKeys(keys) {
  pointed = new Set(keys);
  above = new Set();
  for (const key of keys) {
    for (let end = key.lastIndexOf("/"); end > 0; end = key.lastIndexOf("/", end - 1)) {
      above.add(key.slice(0, end));
    }
  }
  repaint();
}

/** Opens the tree at a key and scrolls there. */
export function revealKey(key) {
  if (!leaves.has(key)) return;
  if (leaves.search && !rows.some((row) => row.key === key)) {
    leaves.search = byId("search").value = "";
  }
  leaves.reveal(key);
  current = key;
  showTree();
  list.reveal(rows.findIndex((row) => row.key === key));
  repaint();
}

function toggle(key) {
  if (leaves.open.has(key)) leaves.open.delete(key);
  else leaves.open.add(key);
  showTree();
}

function moveTo(index) {
  const row = rows[Math.max(0, Math.min(index, rows.length - 1))];
  if (!row?.key) return;
  current = row.key;
  list.reveal(rows.indexOf(row));
  repaint();
  listener(current, false);
}

/** The keys of the keyboard in the tree, as trees have them. */
function press(event) {
  const index = rows.findIndex((row) => row.key === current);
  const row = rows[index];
  const work = {
    ArrowDown: () => moveTo(index + 1),
    ArrowUp: () => moveTo(index - 1),
    Home: () => moveTo(0),
    End: () => moveTo(rows.length - 1),
    ArrowRight: () => (row?.isOpen === false ? toggle(row.key) : moveTo(index + 1)),
    ArrowLeft: () => {
      if (row?.isOpen) toggle(row.key);
      else moveTo(rows.findIndex((other) => other.key === row?.key.slice(0, row.key.lastIndexOf("/"))));
    },
    Enter: () => (row?.value === undefined ? row && toggle(row.key) : begin(row.key)),
    " ": () => row && listener(row.key, true),
    Delete: () => row && row.kind !== 2 && edit([row.key, null]),
  }[event.key];
  if (!work || event.target !== tree() || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  work();
}

const rowOf = (event) => event.target.closest?.(".node[data-key]");

tree().addEventListener("keydown", press);
tree().addEventListener("mouseover", (event) => listener(rowOf(event)?.dataset.key ?? null, false));
tree().addEventListener("mouseleave", () => listener(null, false));
tree().addEventListener("click", (event) => {
  const shown = rowOf(event);
  if (!shown || event.target.closest("button, textarea")) return;
  const { key } = shown.dataset;
  current = key;
  if (rows[shown.dataset.row]?.isOpen !== undefined && event.target.closest(".twist, .name")) toggle(key);
  repaint();
  listener(key, true);
});
tree().addEventListener("dblclick", (event) => {
  const key = rowOf(event)?.dataset.key;
  if (key && leaves.values.has(key) && !event.target.closest("textarea")) begin(key);
});

/** The text of the edits, for a title. */
export function describeEdits() {
  return state.edits.map(([key, text]) => (text === null ? `− ${key}` : `${key} = ${text}`)).join("\n");
}
