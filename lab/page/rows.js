// Rows of one height, of which only those in sight are elements when there are many.

/** With no more rows than this all are elements: the browser can search in them. */
export const FEW = 800;
/** Rows that are made above and below those in sight. */
const MARGIN = 30;

export class Rows {
  /** `scroller` scrolls; `height` is that of a row; `make(index)` makes the element of one. */
  constructor(scroller, height, make) {
    Object.assign(this, { scroller, height, make, count: 0, first: 0, last: 0 });
    this.inner = document.createElement("div");
    this.inner.className = "lines";
    scroller.addEventListener("scroll", () => this.fill(), { passive: true });
    new ResizeObserver(() => this.fill()).observe(scroller);
  }

  /** Shows so many rows; the scroll position stays. */
  show(count) {
    const { scrollTop, scrollLeft } = this.scroller;
    this.count = count;
    this.first = this.last = 0;
    this.inner.replaceChildren();
    if (this.inner.parentNode !== this.scroller) this.scroller.replaceChildren(this.inner);
    this.inner.classList.toggle("many", count > FEW);
    this.inner.style.height = count > FEW ? `${count * this.height}px` : "";
    this.fill();
    this.scroller.scrollTo(scrollLeft, scrollTop);
  }

  /** Makes the rows in sight. */
  fill() {
    const { count, height, scroller } = this;
    if (this.inner.parentNode !== scroller) return;
    const all = count <= FEW;
    const top = Math.floor(scroller.scrollTop / height);
    const seen = Math.ceil(scroller.clientHeight / height);
    const first = all ? 0 : Math.max(0, Math.min(top - MARGIN, count - seen));
    const last = all ? count : Math.min(count, top + seen + MARGIN);
    if (first === this.first && last === this.last) return;
    // Close to what is there already: nothing to do yet.
    if (!all && this.last > 0 && top >= this.first + 5 && top + seen <= this.last - 5) return;
    const rows = [];
    for (let index = first; index < last; index++) rows.push(this.make(index));
    this.inner.replaceChildren(...rows);
    this.inner.style.paddingTop = all ? "" : `${first * height}px`;
    Object.assign(this, { first, last });
  }

  /** Scrolls as little as needed to show a row; in the middle when it is far away. */
  reveal(index) {
    const { height, scroller } = this;
    const shown = this.inner.querySelector(`[data-row="${index}"]`);
    const top = shown ? shown.offsetTop : index * height;
    const bottom = top + height;
    if (top >= scroller.scrollTop && bottom <= scroller.scrollTop + scroller.clientHeight) return;
    scroller.scrollTop = Math.max(0, top - scroller.clientHeight / 3);
    this.fill();
  }

  /** The elements that are there. */
  get elements() {
    return this.inner.children;
  }
}
