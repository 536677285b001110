// A box that the mouse draws on the ground between the pictures: it selects what it touches, however far it is scrolled.
import { MOST } from "./selection.js";

const DEAD = 5; // pixels, below which it was a click
const EDGE = 56; // pixels at the upper and the lower edge within which the pictures scroll
const FASTEST = 2.4; // pixels per millisecond
const OTHERS = "a, button, input, select, textarea, summary, details, label, header, form, .sticky, .panel, .card, .welcome, .board-head, .map-room, .map-head, .end, [role=slider]";

const between = (one, other) => ({ left: Math.min(one.x, other.x), right: Math.max(one.x, other.x), top: Math.min(one.y, other.y), bottom: Math.max(one.y, other.y) });

export class Marquee {
  constructor(app) {
    Object.assign(this, { app, drag: null, box: Object.assign(document.createElement("div"), { className: "marquee" }) });
    const { scroller } = app;
    scroller.addEventListener("pointerdown", (event) => this.begin(event));
    scroller.addEventListener("pointermove", (event) => this.move(event));
    scroller.addEventListener("pointerup", (event) => this.drag?.pointer === event.pointerId && this.end());
    scroller.addEventListener("pointercancel", () => this.cancel());
    scroller.addEventListener("scroll", () => this.drag?.drawn && this.follow(), { passive: true });
  }

  begin(event) {
    const { app } = this, { scroller, grid } = app, ground = event.composedPath()[0];
    if (event.pointerType !== "mouse" || event.button !== 0 || this.drag || !app.results?.length || app.map.isShown) return;
    if (!scroller.querySelector("main")?.contains(ground) && !ground.matches(".scroller, .middle")) return;
    if (ground.closest(OTHERS) || event.clientX - scroller.getBoundingClientRect().left >= scroller.clientWidth) return; // beside: the scrollbar
    const adds = event.ctrlKey || event.metaKey || event.shiftKey;
    scroller.classList.add("boxing");
    this.drag = {
      pointer: event.pointerId, adds, x: event.clientX, y: event.clientY, from: [event.clientX, event.clientY], drawn: false, before: new Map(app.selection.hits),
      start: { x: event.clientX - this.left, ...grid.placeAt(event.clientY - this.top) },
    };
  }

  // Where the grid lies in the window.
  get left() {
    return this.app.grid.element.getBoundingClientRect().left;
  }

  get top() {
    return this.app.grid.element.getBoundingClientRect().top;
  }

  move(event) {
    const { drag } = this;
    if (drag?.pointer !== event.pointerId) return;
    if (!(event.buttons & 1)) {
      this.end();
      return;
    }
    [drag.x, drag.y] = [event.clientX, event.clientY];
    if (!drag.drawn) {
      if (Math.hypot(drag.x - drag.from[0], drag.y - drag.from[1]) < DEAD) return;
      drag.drawn = true;
      this.app.scroller.setPointerCapture(event.pointerId);
      this.app.root.append(this.box);
      drag.at = performance.now();
      this.frame = requestAnimationFrame((now) => this.scroll(now));
    }
    this.follow();
  }

  // At an edge the pictures go on, the faster the further the mouse is beyond it.
  scroll(now) {
    const { drag, app } = this;
    if (!drag) return;
    const { top, bottom } = app.scroller.getBoundingClientRect(), upper = top + app.barHeight();
    const over = Math.max(0, drag.y - (bottom - EDGE)) - Math.max(0, upper + EDGE - drag.y);
    if (over) app.scroller.scrollTop += Math.sign(over) * Math.min(FASTEST, 0.3 + Math.abs(over) / 60) * Math.min(50, now - drag.at);
    drag.at = now;
    this.frame = requestAnimationFrame((then) => this.scroll(then));
  }

  // The box in the grid. Where it began is kept by the picture there: rows move when shapes become known.
  follow() {
    const { drag, box, left, top } = this;
    drag.area = between({ x: drag.start.x, y: this.app.grid.topOf(drag.start) }, { x: drag.x - left, y: drag.y - top });
    const { area } = drag;
    Object.assign(box.style, { left: `${area.left + left}px`, top: `${area.top + top}px`, width: `${area.right - area.left}px`, height: `${area.bottom - area.top}px` });
    this.select(drag, area);
  }

  select(drag, area) {
    const { app } = this, found = new Map(drag.adds ? drag.before : []);
    for (const hit of app.grid.hitsIn(area)) if (found.size < MOST) found.set(hit.id, hit);
    app.selection.take(found);
  }

  // What the box touches but is not there yet is waited for, and where rows moved then, the box moves with them.
  async end() {
    const { drag, app } = this, { results, grid, selection } = app;
    this.stop();
    if (!drag.drawn) return;
    const { area } = drag, last = { x: drag.x - this.left, ...grid.placeAt(drag.y - this.top) };
    const isLater = await selection.complete(results, grid.spanOf(area));
    if (isLater && !this.drag && app.results === results) this.select(drag, between({ x: drag.start.x, y: grid.topOf(drag.start) }, { x: last.x, y: grid.topOf(last) }));
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.drag = null;
    this.box.remove();
    this.app.scroller.classList.remove("boxing");
  }

  cancel() {
    const { drag } = this;
    if (!drag) return;
    this.stop();
    if (drag.drawn) this.app.selection.take(drag.before);
  }
}
