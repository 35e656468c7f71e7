// Questions to the program. Of each kind only the answer to the last one counts.

const last = new Map();

/** Asks, and returns the answer; null when the same was asked again meanwhile. */
export async function ask(question, request) {
  const number = (last.get(question) ?? 0) + 1;
  last.set(question, number);
  const response = await fetch(`api/${question}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  const answer = await response.json();
  return last.get(question) === number ? answer : null;
}

/** Calls `changed` whenever something is saved, and `connected` with false while the program is away. */
export function listen(changed, connected) {
  const events = new EventSource("api/events");
  events.addEventListener("change", changed);
  events.addEventListener("open", () => connected(true));
  events.addEventListener("error", () => connected(false));
}
