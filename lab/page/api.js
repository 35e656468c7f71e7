// Questions to the program. Of each kind only the answer to the last one counts.

const last = new Map();
/** By this the program tells pages apart: it gives up what the same page does not want any more. */
const page = crypto.randomUUID();

/** Asks, and returns the answer; null when the same was asked again meanwhile. */
export async function ask(question, request) {
  const number = (last.get(question) ?? 0) + 1;
  last.set(question, number);
  const response = await fetch(`api/${question}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...request, page }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  const answer = await response.json();
  return last.get(question) === number ? answer : null;
}

/**
 * Calls `changed` with the number of what was saved last, and `connected` with false while nobody
 * tells: the program is away, or ("full") it tells too many other pages. A page that is hidden
 * does not listen: a browser lets all pages of a program have six connections together.
 */
export function listen(changed, connected) {
  let events = null;
  const end = () => {
    events?.close();
    events = null;
  };
  const begin = () => {
    if (events || document.hidden) return;
    events = new EventSource("api/events");
    events.addEventListener("change", ({ data }) => changed(Number(data)));
    events.addEventListener("open", () => connected(true));
    events.addEventListener("full", () => {
      end();
      connected(false, "full");
    });
    events.addEventListener("error", () => {
      connected(false);
      // What was refused is not tried again by itself.
      if (events?.readyState !== EventSource.CLOSED) return;
      end();
      setTimeout(begin, 1000);
    });
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? end() : begin()));
  addEventListener("focus", begin);
  begin();
}
