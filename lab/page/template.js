// The pane of the template: its text, that of what it includes and of the resource, with what is
// wrong beside the lines, and the way to put it right.

import { Code } from "./code.js";
import { byId, element } from "./dom.js";
import { belongs } from "./files.js";
import { words } from "./i18n.js";
import { nodeId } from "./provenance.js";
import { change, state } from "./state.js";

export const code = new Code(byId("template"), "node");

/** The text that is shown: "template", "resource", or the number of an included file. */
let shown = "template";
let file = null;
let provenance = null;
let findings = [];

export function showTemplate(view, origins) {
  if (file?.name !== view.file.name) shown = "template";
  file = view.file;
  provenance = origins;
  showSource();
}

export function showFindings(found) {
  findings = found;
  showSource();
}

/** The texts that can be shown: name, text, the file below the image, and the template's number. */
function sources() {
  if (!file?.name) return [];
  const resource = file.output?.resource ?? null;
  const texts = (file.output?.templates ?? []).map(({ name, text }, number) => ({ id: number, name, text, path: `templates/${name}`, number }));
  const included = texts.filter(({ number }) => number > 0 && number !== resource);
  return [
    { id: "template", name: file.src, text: file.template ?? "", path: `templates/${file.src}`, number: 0 },
    ...included,
    { id: "resource", name: file.name, text: file.resource ?? "", path: `conf.d/${file.name}`, number: resource },
  ].filter((source) => source.name);
}

function showSource() {
  const all = sources();
  const source = all.find((known) => known.id === shown) ?? all[0];
  const tabs = all.map((known) => {
    const found = findings.filter((finding) => finding.file === known.path);
    const kind = found.some((finding) => finding.severity === "error") ? "fail" : "warn";
    return element(
      "button",
      { type: "button", role: "tab", "aria-selected": String(known === source), onclick: () => show(known.id) },
      known.name,
      found.length ? element("span", { class: `badge ${kind}` }, String(found.length)) : null,
    );
  });
  const hasFocus = byId("sources").contains(document.activeElement);
  byId("sources").replaceChildren(...tabs);
  if (hasFocus) tabs[all.indexOf(source)]?.focus();
  byId("template").setAttribute("aria-label", words().template);
  if (!source) return code.show([]);
  const nodes = source.number === null || !provenance ? [] : provenance.nodes(source.number);
  const lines = linesOf(source, nodes);
  addNotes(lines, source);
  code.show(lines);
  showList(all);
}

/** Shows another text. */
export function show(id) {
  shown = id;
  showSource();
}

/** Shows the template with this number, so that its nodes can be seen. */
export function showNumber(number) {
  const wanted = sources().find((source) => source.number === number);
  if (wanted && wanted.id !== shown) show(wanted.id);
}

/** The lines of a text, cut into actions and nodes. */
function linesOf({ id, text, number }, nodes) {
  const cuts = [];
  for (const [start, end] of nodes) cuts.push({ start, end, id: nodeId(number, start) });
  if (id !== "resource") {
    for (const match of text.matchAll(/\{\{[\s\S]*?\}\}/g)) {
      cuts.push({ start: match.index, end: match.index + match[0].length, kind: "act" });
    }
  }
  const places = new Set([0, text.length, ...cuts.flatMap(({ start, end }) => [start, end])]);
  const borders = [...places].filter((place) => place <= text.length).sort((one, other) => one - other);
  const lines = [{ number: 1, pieces: [] }];
  cuts.sort((one, other) => one.start - other.start);
  let open = [];
  let next = 0;
  for (let at = 0; at + 1 < borders.length; at++) {
    const [start, end] = [borders[at], borders[at + 1]];
    while (next < cuts.length && cuts[next].start <= start) open.push(cuts[next++]);
    open = open.filter((cut) => cut.end > start);
    const node = open.find((cut) => cut.id)?.id ?? null;
    const kind = open.find((cut) => cut.kind)?.kind ?? null;
    text.slice(start, end).split("\n").forEach((piece, index) => {
      if (index > 0) lines.push({ number: lines.length + 1, pieces: [] });
      if (piece) lines.at(-1).pieces.push([piece, node, kind]);
    });
  }
  if (lines.length > 1 && lines.at(-1).pieces.length === 0) lines.pop();
  return lines;
}

/** Puts errors and findings below their lines. */
function addNotes(lines, source) {
  const add = (number, kind, title, message, cure) => {
    const line = lines[Math.max(0, Math.min(number, lines.length) - 1)];
    if (!line) return;
    line.kind = line.kind === "has-error" || kind === "error" ? "has-error" : "has-warning";
    const note = element("div", { class: `note ${kind}-note` }, title ? element("strong", {}, `${title} `) : null, message);
    if (cure) note.append(element("span", { class: "cure" }, cure));
    line.notes = [...(line.notes ?? []), note];
  };
  for (const finding of findings.filter((one) => one.file === source.path)) {
    add(finding.line ?? 1, finding.severity, finding.code, finding.message, finding.cure);
  }
  for (const place of file.error?.places ?? []) {
    const line = source.id === "resource" ? lineOfKey(source.text, place.template) : isSame(place.template, source) && place.line;
    if (line) add(line, "error", null, reason(place.message), place.cure);
  }
}

const isSame = (name, source) => name === source.name || source.name.endsWith(`/${name}`);

/** The line of a key in a resource: its actions are templates that are named for it. */
function lineOfKey(text, key) {
  const isIt = (line) => line.trim().startsWith(key) && line.trim().slice(key.length).trimStart().startsWith("=");
  return text.split("\n").findIndex(isIt) + 1;
}

/** An error without the place, which is where it stands. */
function reason(message) {
  return message.replace(/^template: [^ ]+ (executing "[^"]*" )?/, "").replace(/^at <.*?>: /s, "");
}

/** The findings that belong to no text of this file. */
function showList(all) {
  const paths = new Set(all.map((source) => source.path));
  const others = findings.filter((finding) => !paths.has(finding.file));
  const rows = others.map((finding) =>
    element(
      "button",
      { type: "button", class: finding.severity, title: finding.cure, onclick: () => open(finding) },
      element("span", { class: "code-name" }, finding.code),
      finding.message,
      element("small", {}, `${finding.file}:${finding.line}`),
    ),
  );
  byId("findings").replaceChildren(...rows);
}

let files = [];

export function setFiles(known) {
  files = known;
}

/** Goes to the file that a finding is about. */
function open(finding) {
  const owner = files.find((known) => belongs(finding, known));
  if (!owner) return;
  shown = finding.file.startsWith("conf.d/") ? "resource" : "template";
  if (owner.name === state.file) return showSource();
  file = { ...file, name: owner.name };
  change({ file: owner.name });
}
