// The list of files: what happens to each in the stage, its findings, and the uses of a key.

import { byId, element } from "./dom.js";
import { words } from "./i18n.js";
import { currentStep } from "./life.js";
import { change, state } from "./state.js";

let files = [];
let unread = [];
let findings = [];
let uses = new Map();

export function showFiles(view) {
  if (view) ({ files, unread } = view);
  const step = currentStep();
  const changed = new Set(step?.changed ?? []);
  const failed = new Set(step?.failed.map((failure) => failure.file) ?? []);
  const rows = [...files, ...unread].map((file) => {
    const isFailing = failed.has(file.name) || file.message !== undefined;
    return row(file, { isFailing, isChanged: changed.has(file.name) });
  });
  byId("files").setAttribute("aria-label", words().files);
  const { scrollTop } = byId("files");
  byId("files").replaceChildren(...rows);
  byId("files").scrollTop = scrollTop;
}

function row(file, { isFailing, isChanged }) {
  const path = file.dest ?? file.name;
  const slash = path.lastIndexOf("/");
  const found = findings.filter((finding) => belongs(finding, file));
  const used = uses.get(file.name);
  const badges = [];
  const add = (kind, text, title) => badges.push(element("span", { class: `badge ${kind}`, title }, text));
  if (used) add("uses", words().uses(used.lines.length + used.decided.length));
  if (isFailing) add("fail", words().failed);
  else if (isChanged) add("change", words().changed);
  const errors = found.filter((finding) => finding.severity === "error").length;
  if (found.length) add(errors ? "fail" : "warn", String(found.length), found.map((one) => `${one.code} ${one.message}`).join("\n"));
  return element(
    "li",
    {
      class: `file ${used ? "used" : ""}`,
      role: "option",
      "aria-selected": String(file.name === state.file),
      "data-file": file.name,
      title: `${path}\nconf.d/${file.name}${file.src ? `\ntemplates/${file.src}` : ""}`,
      onclick: () => change({ file: file.name }),
    },
    element("span", { class: "name" }, path.slice(slash + 1), element("small", {}, path.slice(0, slash + 1))),
    ...badges,
  );
}

/** Returns true for a finding in a file's resource or template. */
export function belongs(finding, file) {
  return finding.file === `conf.d/${file.name}` || (file.src && finding.file === `templates/${file.src}`);
}

export function showFindingCounts(found) {
  findings = found;
  showFiles();
}

/** Marks the files that use a key; none for null. */
export function showUses(found) {
  const before = uses.size;
  uses = new Map((found ?? []).map((use) => [use.file, use]));
  if (before || uses.size) showFiles();
}

/** Goes on by so many files. */
export function stepFile(by) {
  const names = [...files, ...unread].map((file) => file.name);
  const next = names[names.indexOf(state.file) + by];
  if (next === undefined) return;
  change({ file: next });
  byId("files").querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
}

byId("files").addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  stepFile(by);
});
