// A text with line numbers, of which pieces can be marked: the template and the output.

import { element } from "./dom.js";
import { FEW, Rows } from "./rows.js";

/** The height of a line, as style.css has it. */
const HEIGHT = 20;

export class Code {
  /** `attribute` names what pieces are known by: data-origin or data-node. */
  constructor(pane, attribute) {
    Object.assign(this, { pane, attribute, lines: [], strong: new Set(), weak: new Set(), cursor: null });
    this.rows = new Rows(pane, HEIGHT, (index) => this.make(index));
  }

  /**
   * Shows lines: each has pieces of [text, id or null, class or null], perhaps a number, a class and
   * notes, which are elements below it.
   */
  show(lines) {
    this.lines = lines;
    const widest = lines.reduce((most, line) => Math.max(most, width(line)), 0);
    // Few lines are broken where the pane ends; of many each has the same height.
    this.rows.inner.style.minWidth = lines.length > FEW ? `calc(${widest}ch + 6em)` : "";
    this.rows.show(lines.length);
  }

  make(index) {
    const line = this.lines[index];
    const text = element("span", { class: "text" });
    line.pieces.forEach(([words, id, kind], place) => {
      const isKnown = id !== null && id !== undefined;
      if (!isKnown && !kind) return text.append(words);
      const names = [kind, isKnown && "origin-of", ...this.marks(id, index, place)];
      const piece = element("span", { class: names.filter(Boolean).join(" ") }, words);
      if (isKnown) Object.assign(piece.dataset, { [this.attribute]: id, place });
      text.append(piece);
    });
    const number = element("span", { class: "number" }, line.number === undefined ? "" : String(line.number));
    const row = element("div", { class: `line ${line.kind ?? ""}`, "data-row": index }, number, text);
    if (!line.notes?.length) return row;
    return element("div", { "data-row": index }, row, ...line.notes);
  }

  marks(id, row, place) {
    return [
      this.strong.has(id) && "strong",
      this.weak.has(id) && "weak",
      this.cursor?.row === row && this.cursor.place === place && "cursor",
    ];
  }

  /** Marks the pieces with these ids. */
  mark(strong, weak) {
    Object.assign(this, { strong, weak });
    for (const piece of this.rows.inner.querySelectorAll(".origin-of")) {
      const id = this.idOf(piece);
      piece.classList.toggle("strong", strong.has(id));
      piece.classList.toggle("weak", weak.has(id) && !strong.has(id));
    }
  }

  /** The id of a piece, as it was given. */
  idOf(piece) {
    const id = piece.dataset[this.attribute];
    return this.attribute === "origin" ? Number(id) : id;
  }

  /** Moves the cursor by lines or pieces, and returns the id that it is on. */
  move(rows, pieces) {
    const isKnown = (piece) => piece[1] !== null && piece[1] !== undefined;
    const places = (row) => this.lines[row].pieces.flatMap((piece, place) => (isKnown(piece) ? [place] : []));
    const step = Math.sign(rows || pieces) || 1;
    let { row, place } = this.cursor ?? { row: -1, place: -1 };
    const here = row >= 0 && row < this.lines.length ? places(row) : [];
    const beside = here[here.indexOf(place) + pieces];
    if (pieces && here.includes(place) && beside !== undefined) {
      place = beside;
    } else {
      let next = row + step;
      while (this.lines[next] && places(next).length === 0) next += step;
      if (!this.lines[next]) return null;
      row = next;
      const there = places(row);
      place = pieces < 0 ? there.at(-1) : there[0];
    }
    this.setCursor({ row, place });
    return this.lines[row].pieces[place][1];
  }

  setCursor(cursor) {
    this.cursor = cursor;
    this.rows.inner.querySelector(".cursor")?.classList.remove("cursor");
    if (!cursor) return;
    this.rows.reveal(cursor.row);
    const row = this.rows.inner.querySelector(`[data-row="${cursor.row}"]`);
    row?.querySelector(`[data-place="${cursor.place}"]`)?.classList.add("cursor");
  }

  /** Scrolls to the first line with a marked piece. */
  revealMarked() {
    const has = (line) => line.pieces.some((piece) => this.strong.has(piece[1]));
    const row = this.lines.findIndex(has);
    if (row >= 0) this.rows.reveal(row);
  }
}

function width(line) {
  return line.pieces.reduce((sum, [text]) => sum + text.length, 0);
}
