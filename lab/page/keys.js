// The keyboard: shortcuts for everything, and the dialog that lists them.

import { byId, element } from "./dom.js";
import { stepFile } from "./files.js";
import { words } from "./i18n.js";
import { stepStage } from "./life.js";
import { letGo } from "./pointing.js";
import { undo } from "./state.js";
import { showPane } from "./tabs.js";

/** Shows the list of keys. */
export function showHelp() {
  const dialog = byId("dialog");
  const rows = words().keys.flatMap(([keys, meaning]) => [
    element("dt", {}, ...keys.split(" ").filter(Boolean).flatMap((key) => [element("kbd", {}, key), " "])),
    element("dd", {}, meaning),
  ]);
  const close = element("button", { type: "button", onclick: () => dialog.close() }, words().ok);
  dialog.replaceChildren(element("h2", {}, words().help), element("dl", {}, ...rows), element("div", { class: "actions" }, close));
  dialog.showModal();
}

function go(pane, id) {
  showPane(pane);
  byId(id).focus();
}

const shortcuts = {
  "/": () => go("metadata", "search"),
  "[": () => stepStage(-1),
  "]": () => stepStage(1),
  ",": () => stepFile(-1),
  ".": () => stepFile(1),
  n: () => byId("node").focus(),
  m: () => go("metadata", "tree"),
  t: () => go("template", "template"),
  o: () => go("output", "output"),
  d: () => byId("diff").click(),
  u: () => undo(),
  "?": () => showHelp(),
  Escape: () => letGo(),
};

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input:not([type=range]):not([type=checkbox]), textarea, select, dialog");
  if (event.ctrlKey || event.metaKey || event.altKey || byId("dialog").open) return;
  if (isTyping && event.key !== "Escape") return;
  if (isTyping && event.key === "Escape") event.target.blur();
  const work = shortcuts[event.key];
  if (!work) return;
  event.preventDefault();
  work();
});
