// Elements made of text and nothing else: metadata can hold anything, and never becomes markup.

/** Makes an element. Attributes beginning with "on" are listeners; children are elements or text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** Shows each text once, in its order. */
export function unique(texts) {
  return [...new Set(texts)];
}

/** Calls `work` once things have been quiet for so many milliseconds. */
export function calm(delay, work) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), delay);
  };
}
