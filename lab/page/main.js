// The page: asks the program about what is looked at, and lets each part show its share.

import { ask, listen } from "./api.js";
import { byId, calm, element } from "./dom.js";
import { setRoles, showEdits, showTools } from "./editing.js";
import { showFiles, showFindingCounts } from "./files.js";
import { switchLanguage, translate, words } from "./i18n.js";
import { showHelp } from "./keys.js";
import { showLife, showSteps } from "./life.js";
import { showLeaves, showTree } from "./metadata.js";
import { showOutput } from "./output.js";
import { remark, setOutput } from "./pointing.js";
import { change, onChange, state } from "./state.js";
import { setFiles, showFindings, showTemplate } from "./template.js";
import { showTheme, switchTheme } from "./theme.js";

/** The metadata that is shown already, so that it is not sent again. */
let tree = null;
/** What overview and findings were asked about last. */
let asked = { overview: null, findings: null };
let generation = 0;
let isAway = false;
/** What is wrong: messages, and the origins for which there is something to do. */
let problems = [];

/** Shows what is wrong with the image as a whole, and what to do. */
function showProblems(found) {
  problems = found;
  const lines = problems.flatMap(({ message, origin }) => {
    const cure = words().cures[origin];
    return [element("div", {}, message), cure ? element("span", { class: "cure" }, cure) : null];
  });
  byId("problems").hidden = problems.length === 0;
  byId("problems").replaceChildren(...lines.filter(Boolean));
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (!isAway) showProblems([{ message: String(error.message ?? error) }]);
  }
}

async function refresh() {
  const view = await ask("view", { ...state, tree });
  if (!view) return;
  if (view.problem) return showProblems([{ message: view.problem }]);
  generation = view.generation;
  byId("image").textContent = view.image;
  byId("image").title = view.source.join("\n");
  document.title = `${view.image} — confd-lab`;
  showProblems(view.problems);
  // What was chosen may be gone: the program says what it shows instead.
  const { node, stage, about } = view;
  quietly({ node, stage, about, file: view.file.name ?? null });
  showLife(view);
  setFiles(view.files);
  setRoles(view.roles);
  showFiles(view);
  if (view.tree) tree = view.tree.id;
  showLeaves(view.tree?.leaves, node);
  const provenance = setOutput(view.file);
  showTemplate(view, provenance);
  showOutput(view);
  remark();
  showEdits();
  document.documentElement.dataset.generation = String(generation);
  document.documentElement.dataset.shown = String(++shown);
  await Promise.all([askOverview(), askFindings()]);
}

let shown = 0;
let isQuiet = false;

/** Changes the state without asking again. */
function quietly(values) {
  isQuiet = true;
  change(values);
  isQuiet = false;
}

async function askOverview() {
  const about = JSON.stringify([generation, state.edits, state.node]);
  if (asked.overview === about) return;
  asked.overview = about;
  const overview = await ask("overview", state);
  if (asked.overview !== about) return;
  // Given up for another question.
  if (!overview) return askAgain();
  showSteps(overview);
  showFiles();
}

const askAgain = calm(500, () => {
  asked.overview = null;
  attempt(askOverview);
});

async function askFindings() {
  const about = JSON.stringify([generation, state.edits]);
  if (asked.findings === about) return;
  asked.findings = about;
  const answer = await ask("findings", { edits: state.edits });
  if (!answer || asked.findings !== about) return;
  const findings = answer.findings ?? [];
  if (answer.problem) showProblems([...problems, { message: answer.problem }]);
  showFindingCounts(findings);
  showFindings(findings);
  remark();
}

/** Shows all words again. */
function showWords() {
  translate();
  showTheme();
  showTools();
  byId("language").textContent = words().language;
  byId("help").title = words().help;
  showProblems(problems);
  showLife();
  showFiles();
  showTree();
  showOutput();
  remark();
}

byId("language").addEventListener("click", () => {
  switchLanguage();
  showWords();
});
byId("theme").addEventListener("click", switchTheme);
byId("help").addEventListener("click", showHelp);
onChange(() => {
  if (!isQuiet) attempt(refresh);
});
const begin = () =>
  listen(
    (saved) => {
      if (saved !== generation) attempt(refresh);
    },
    (isConnected, reason) => {
      if (isConnected && isAway) attempt(refresh);
      if (!isConnected) showProblems([{ message: words()[reason ?? "away"] }]);
      isAway = !isConnected;
    },
  );
showWords();
attempt(refresh).then(begin);
