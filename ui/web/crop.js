// A box drawn on the open picture, to search with what is in it. It is kept in shares of the whole, upright picture.
import { html, render } from "./vendor/lit-html/lit-html.js";
import { icon } from "./parts.js";

const LEAST_DRAWN = 8; // pixels of the screen on each side: less was a click
const STEP = 0.02; // of each side, for a key
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CORNERS = { nw: [1, 1], ne: [0, 1], sw: [1, 0], se: [0, 0] }; // which shares of the box the opposite corner lies at

const within = (value, most) => Math.min(most, Math.max(0, value));

export class CropBox {
  constructor(app, { hit, src, onDone, onStop }) {
    Object.assign(this, { app, hit, src, onDone, onStop, drawn: false, box: { x: 0.25, y: 0.25, width: 0.5, height: 0.5 } });
    const region = hit.part?.region ? hit.part : null;
    if (region) {
      this.box = { x: region.x / hit.width, y: region.y / hit.height, width: region.width / hit.width, height: region.height / hit.height };
      this.drawn = true;
    }
  }

  start(room) {
    this.room = room;
    const { words } = this.app;
    render(html`<div class="crop-room"><div class="crop-frame" style="aspect-ratio:${this.hit.width}/${this.hit.height};--ratio:${this.hit.width / this.hit.height}">
        <img src=${this.src} alt=""><div class="crop"><div class="outline" role="application" tabindex="0" aria-label=${words.say("crop_box")}>
        ${Object.keys(CORNERS).map((name) => html`<i class="corner ${name}" data-corner=${name}></i>`)}</div></div></div></div>
      <div class="crop-tools" role="group" aria-label=${words.say("crop")}><p>${words.say("crop_hint")}</p><span class="size" aria-live="polite"></span>
        <button type="button" class="button" @click=${() => this.onStop()}>${words.say("cancel")}</button>
        <button type="button" class="button main" @click=${() => this.onDone(this.pixels())}>${icon("search")}<span>${words.say("crop_search")}</span></button></div>`, room);
    this.layer = room.querySelector(".crop");
    this.outline = room.querySelector(".outline");
    this.follow();
    this.place(this.box);
    this.outline.focus({ preventScroll: true });
  }

  place(box) {
    this.box = box;
    this.outline.classList.toggle("suggested", !this.drawn);
    for (const [name, share] of Object.entries({ left: box.x, top: box.y, width: box.width, height: box.height })) this.outline.style.setProperty(name, `${100 * share}%`);
    const whole = this.pixels();
    this.room.querySelector(".size").textContent = `${whole.width} × ${whole.height}`;
  }

  pixels() {
    const { box, hit } = this;
    const side = (from, size, most) => {
      const first = within(Math.round(from * most), most - 1);
      return [first, Math.max(1, Math.min(most, Math.round((from + size) * most)) - first)];
    };
    const [x, width] = side(box.x, box.width, hit.width), [y, height] = side(box.y, box.height, hit.height);
    return { x, y, width, height };
  }

  moved(box, x, y) {
    return { ...box, x: within(box.x + x, 1 - box.width), y: within(box.y + y, 1 - box.height) };
  }

  follow() {
    const { layer, outline } = this;
    let drag = null;
    const point = (event) => {
      const seen = layer.getBoundingClientRect();
      return { x: within((event.clientX - seen.left) / seen.width, 1), y: within((event.clientY - seen.top) / seen.height, 1) };
    };
    layer.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || drag) return;
      event.preventDefault();
      layer.setPointerCapture(event.pointerId);
      outline.focus({ preventScroll: true });
      const from = point(event), before = this.box, corner = CORNERS[event.target.dataset.corner];
      const opposite = corner && { x: before.x + corner[0] * before.width, y: before.y + corner[1] * before.height };
      const moves = !corner && this.drawn && outline.contains(event.target);
      drag = { id: event.pointerId, from, before, drawn: this.drawn, anchor: moves ? null : opposite ?? from };
    });
    layer.addEventListener("pointermove", (event) => {
      if (drag?.id !== event.pointerId) return;
      const to = point(event), { anchor, from, before } = drag;
      this.drawn = true;
      this.place(anchor
        ? { x: Math.min(anchor.x, to.x), y: Math.min(anchor.y, to.y), width: Math.abs(to.x - anchor.x), height: Math.abs(to.y - anchor.y) }
        : this.moved(before, to.x - from.x, to.y - from.y));
    });
    const end = (event) => {
      if (drag?.id !== event.pointerId) return;
      const seen = layer.getBoundingClientRect();
      const isClick = drag.anchor && Math.min(this.box.width * seen.width, this.box.height * seen.height) < LEAST_DRAWN;
      if (isClick || event.type === "pointercancel") {
        this.drawn = drag.drawn;
        this.place(drag.before);
      }
      drag = null;
    };
    layer.addEventListener("pointerup", end);
    layer.addEventListener("pointercancel", end);
  }

  // While a part is drawn the keys are for it, wherever the focus is.
  key(event) {
    const way = ARROWS[event.key], { box } = this;
    if (event.altKey || event.metaKey || event.ctrlKey) return;
    if (event.key === "Escape") this.onStop();
    else if (event.key === "Enter" && event.composedPath()[0] === this.outline) this.onDone(this.pixels());
    else if (way) {
      const [x, y] = way.map((one) => one * STEP);
      this.drawn = true;
      this.place(event.shiftKey
        ? { ...box, width: Math.min(1 - box.x, Math.max(STEP, box.width + x)), height: Math.min(1 - box.y, Math.max(STEP, box.height + y)) }
        : this.moved(box, x, y));
    } else return;
    event.preventDefault();
  }
}
