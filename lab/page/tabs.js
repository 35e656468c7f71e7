// On a narrow screen one pane at a time, chosen by tabs.

import { byId } from "./dom.js";

const panes = document.querySelector(".panes");

/** Shows a pane; on a wide screen all are there already. */
export function showPane(name) {
  panes.dataset.shown = name;
  for (const tab of byId("tabs").children) {
    tab.setAttribute("aria-selected", String(tab.dataset.pane === name));
  }
}

byId("tabs").addEventListener("click", (event) => {
  const name = event.target.closest("[data-pane]")?.dataset.pane;
  if (name) showPane(name);
});
showPane(panes.dataset.shown);
