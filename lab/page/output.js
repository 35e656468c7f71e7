// The pane of the output: the rendered file, what is new in it, and why there is none.

import { Code } from "./code.js";
import { byId, element } from "./dom.js";
import { words } from "./i18n.js";

export const code = new Code(byId("output"), "origin");

let file = null;

export function showOutput(view) {
  if (view) file = view.file;
  if (!file) return;
  byId("output").setAttribute("aria-label", words().output);
  const path = file.dest ?? file.name ?? "";
  byId("dest").replaceChildren(path, " ", file.is_new && file.output && !file.error ? element("small", {}, words().new_file) : "");
  byId("dest").title = path;
  showError();
  const lines = linesOf(file.output, byId("diff").checked ? file.changes : null);
  if (file.output?.truncated) lines.push({ pieces: [[words().truncated, null, null]] });
  code.show(lines);
}

/** The lines of an output, with those that a diff removes and adds. */
function linesOf(output, changes) {
  const isTraced = output?.origins !== undefined;
  const lines = (output?.lines ?? []).map((flat, index) => {
    const pieces = [];
    for (let at = 0; at < flat.length; at += 2) pieces.push([flat[at], isTraced ? flat[at + 1] : null, null]);
    return { number: index + 1, pieces };
  });
  const shown = [];
  let at = 0;
  for (const change of changes ?? []) {
    shown.push(...lines.slice(at, change.at));
    shown.push(...change.removed.map((text) => ({ kind: "removed", number: "−", pieces: [[text, null, null]] })));
    shown.push(...lines.slice(change.at, change.at + change.count).map((line) => ({ ...line, kind: "added" })));
    at = change.at + change.count;
  }
  return [...shown, ...lines.slice(at)];
}

/** Shows why what is on the disk is not what was rendered. */
function showError() {
  const box = byId("error");
  const { error, stays } = file;
  box.hidden = !error && !stays;
  box.classList.toggle("calm", !error);
  if (box.hidden) return box.replaceChildren();
  const cures = (error?.places ?? []).map((place) => place.cure).filter(Boolean);
  box.replaceChildren(
    error?.message ?? words().stays(stays),
    ...cures.map((cure) => element("span", { class: "cure" }, cure)),
    element("span", { class: "kept" }, file.output ? words().kept : words().kept_none),
  );
}

byId("diff").addEventListener("change", () => showOutput());
