// Light or dark: as the system has it, or as chosen.

import { byId } from "./dom.js";
import { words } from "./i18n.js";

const KEY = "confd-lab-theme";
const CHOICES = ["auto", "light", "dark"];
let current = localStorage.getItem(KEY) ?? "auto";

/** Shows the theme, and its name on the button. */
export function showTheme() {
  const root = document.documentElement;
  if (current === "auto") delete root.dataset.theme;
  else root.dataset.theme = current;
  byId("theme").textContent = words()[`theme_${current}`];
  byId("theme").title = words().theme_title;
}

/** Goes on to the next choice. */
export function switchTheme() {
  current = CHOICES[(CHOICES.indexOf(current) + 1) % CHOICES.length];
  localStorage.setItem(KEY, current);
  showTheme();
}
