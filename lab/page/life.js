// The life of the cluster: which node looks, and the slider through the stages with their marks.

import { byId, element } from "./dom.js";
import { shortName, stageName, words } from "./i18n.js";
import { change, state } from "./state.js";

let stages = [];
let nodes = [];
let steps = [];

/** The stages that the node sees. */
const seen = () => stages.filter((stage) => stage.is_seen);

/** Shows nodes and stages, and where the selection is among them. */
export function showLife(view) {
  if (view) ({ stages, nodes } = view);
  showNodes(view);
  const shown = seen();
  const index = Math.max(0, shown.findIndex((stage) => stage.id === state.stage));
  const slider = byId("stage");
  slider.max = String(Math.max(0, shown.length - 1));
  slider.value = String(index);
  slider.setAttribute("aria-label", words().stage);
  slider.parentElement.style.setProperty("--stops", String(Math.max(1, shown.length)));
  showStops(shown, index);
  showCaption(shown[index]);
}

/** Takes the steps of the node's life; null while they are not known. */
export function showSteps(overview) {
  steps = overview?.steps ?? [];
  showLife();
}

function showNodes() {
  const options = nodes.map((node) => {
    const kind = node.recorded ? ` — ${words().recorded}` : node.joins ? ` — ${words().joins}` : "";
    return element("option", { value: node.name }, (node.name || words().the_node) + kind);
  });
  byId("node").replaceChildren(...options);
  byId("node").value = state.node ?? "";
}

/** The steps of a stage: several when it has variants. */
const stepsOf = (stage) => steps.filter((step) => stages[step.stage] === stage);

function marks(stage) {
  const own = stepsOf(stage);
  const made = [];
  const add = (kind, sign) => made.push(element("span", { class: `mark-${kind}` }, sign));
  if (own.some((step) => step.failed.length > 0)) add(stage.group === "life" ? "fail" : "warn", "✕");
  if (own.some((step) => step.reloads.length > 0)) add("reload", "↻");
  if (own.some((step) => step.changed.length > 0)) add("change", "•");
  return made;
}

function showStops(shown, current) {
  const stops = shown.map((stage, index) =>
    element(
      "button",
      {
        class: `stop ${stage.group === "life" ? "" : "aside"}`,
        type: "button",
        tabindex: "-1",
        "aria-current": String(index === current),
        "data-stage": stage.id,
        title: stageName(stage),
        onclick: () => go(stage),
      },
      element("span", { class: "marks" }, ...marks(stage)),
      element("span", { class: "name" }, shortName(stage)),
    ),
  );
  byId("stops").replaceChildren(...stops);
}

function go(stage) {
  change({ stage: stage.id, about: worst(stage) });
}

/** Of a stage with variants the first that fails, or else the first. */
function worst(stage) {
  const failed = stepsOf(stage).find((step) => step.failed.length > 0);
  return (failed ?? { about: stage.abouts[0] }).about;
}

function showCaption(stage) {
  if (!stage) return;
  const name = stageName(stage);
  byId("stage-name").textContent = name;
  byId("stage").setAttribute("aria-valuetext", name);
  const variant = byId("variant");
  variant.hidden = stage.abouts.length < 2 && !stage.abouts[0];
  if (!variant.hidden) {
    const failing = new Set(stepsOf(stage).filter((step) => step.failed.length > 0).map((step) => step.about));
    const options = stage.abouts.map((about) => element("option", { value: about }, about + (failing.has(about) ? " ✕" : "")));
    variant.replaceChildren(...options);
    variant.value = state.about ?? "";
  }
  byId("stage-facts").textContent = facts(stage).join(" · ");
}

/** The step that is shown, if it is known. */
export function currentStep() {
  const stage = seen().find((known) => known.id === state.stage);
  const own = stage ? stepsOf(stage) : [];
  return own.find((step) => step.about === state.about) ?? own[0];
}

function facts(stage) {
  const facts = [];
  if (stage.group !== "life") facts.push(words()[`group_${stage.group}`]);
  if (stage.is_first) facts.push(words().first_stage);
  else if (stage.after === null) facts.push(words().after_nothing);
  else facts.push(words().after(stageName(stages[stage.after])));
  const step = currentStep();
  if (!step) return facts;
  const { changed, failed, reloads } = step;
  if (!stage.is_first) facts.push(changed.length ? words().changes(changed.length) : words().no_changes);
  if (failed.length) facts.push(words().fails(failed.length));
  if (reloads.length) facts.push(words().reloads(reloads.length, reloads.join(", ")));
  return facts;
}

/** Goes on by so many stages. */
export function stepStage(by) {
  const shown = seen();
  const index = shown.findIndex((stage) => stage.id === state.stage) + by;
  if (shown[index]) go(shown[index]);
}

byId("stage").addEventListener("input", (event) => {
  const stage = seen()[Number(event.target.value)];
  if (stage) go(stage);
});
byId("node").addEventListener("change", (event) => change({ node: event.target.value }));
byId("variant").addEventListener("change", (event) => change({ about: event.target.value }));
