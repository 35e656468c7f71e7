// The tools above the tree: search, a new value, a new node, undo, and the edited recording.

import { ask } from "./api.js";
import { byId, calm, element } from "./dom.js";
import { words } from "./i18n.js";
import { describeEdits, leaves, revealKey, showTree } from "./metadata.js";
import { edit, reset, state, undo } from "./state.js";

/** Shows the words of the tools and the number of edits. */
export function showTools() {
  byId("search").placeholder = words().search;
  byId("search").setAttribute("aria-label", words().search);
  byId("add").textContent = words().add;
  byId("add-node").textContent = words().add_node;
  showEdits();
}

export function showEdits() {
  const count = state.edits.length;
  if (count === 0) return byId("edits").replaceChildren();
  byId("edits").title = describeEdits();
  byId("edits").replaceChildren(
    words().edits(count),
    " ",
    element("button", { class: "quiet", type: "button", id: "undo", onclick: undo }, words().undo),
    element("button", { class: "quiet", type: "button", id: "reset", onclick: reset }, words().reset),
  );
}

/** Asks for values in a dialog; `done` gets them by name. */
function askFor(title, fields, done) {
  const dialog = byId("dialog");
  const form = element("form", { method: "dialog" });
  const close = () => dialog.close();
  form.append(
    element("h2", {}, title),
    ...fields.map(([name, field]) => element("label", {}, words()[name], field)),
    element(
      "div",
      { class: "actions" },
      element("button", { type: "button", onclick: close }, words().cancel),
      element("button", { type: "submit" }, words().ok),
    ),
  );
  form.addEventListener("submit", () => done(Object.fromEntries(fields.map(([name, field]) => [name, field.value]))));
  dialog.replaceChildren(form);
  dialog.showModal();
}

function addValue() {
  const key = element("input", { type: "text", required: true, pattern: "/.+", placeholder: "/env/name", spellcheck: "false" });
  const value = element("input", { type: "text", spellcheck: "false" });
  askFor(words().add, [["key", key], ["value", value]], (typed) => {
    edit([typed.key, typed.value]);
    leaves.reveal(typed.key);
  });
}

let roles = [""];

export function setRoles(known) {
  roles = known;
  byId("add-node").disabled = known.length === 0;
}

function addNode() {
  if (roles.length === 1) return addNodeOf(roles[0]);
  const options = roles.map((role) => element("option", { value: role }, role || words().no_roles));
  const role = element("select", {}, ...options);
  askFor(words().add_node, [["role", role]], (typed) => addNodeOf(typed.role));
}

async function addNodeOf(role) {
  const answer = await ask("another-node", { edits: state.edits, role });
  if (!answer?.leaves?.length) return;
  leaves.reveal(answer.leaves[0][0]);
  edit(...answer.leaves);
}

async function download() {
  const answer = await ask("recording", { edits: state.edits });
  if (!answer) return;
  const url = URL.createObjectURL(new Blob([answer.text], { type: "application/json" }));
  element("a", { href: url, download: "metadata.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

byId("add").addEventListener("click", addValue);
byId("add-node").addEventListener("click", addNode);
byId("download").addEventListener("click", download);
const search = calm(80, () => {
  leaves.search = byId("search").value.trim();
  showTree();
});
byId("search").addEventListener("input", search);
byId("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") {
    const first = leaves.rows().find((row) => row.key);
    if (first) revealKey(first.key);
    byId("tree").focus();
  }
});
