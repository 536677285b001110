// The pictures: a list of any length of which only what is near the window is in the document.
import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { guessHeight, isWhole, layBlock, ratioOf } from "./layout.js";
import { BLOCK } from "./results.js";
import { icon } from "./parts.js";
import { altOf, gradeOf } from "./said.js";
import { groupOf as groupsOf } from "./listing.js";
import { groundOf } from "./colours.js";
import { clock, fileName } from "./words.js";

const AHEAD = 1.5; // windows above and below that are drawn too
const TILE = 400; // pixels of a small picture
const HOLD_MS = 450;
const AGAIN_MS = [1_000, 4_000, 15_000]; // until a picture that did not come is asked for again
export const SIZES = { least: 110, usual: 210, most: 420 };

export class Grid {
  // `app` is told what the person does: open(place), more(hit), less(hit), pick(place, how).
  constructor(app, scroller) {
    Object.assign(this, { app, scroller, results: null, focused: 0, width: 0, blocks: [], laid: new Map(), element: document.createElement("div") });
    this.element.className = "grid";
    this.size = Number(localStorage.getItem("xuntu-size")) || SIZES.usual;
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(this.element);
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.element.addEventListener("click", (event) => this.onClick(event));
    this.element.addEventListener("pointerdown", (event) => this.onHold(event));
    this.element.addEventListener("focusin", (event) => {
      const place = Number(event.target.closest(".tile")?.dataset.place);
      if (Number.isInteger(place) && place !== this.focused) {
        this.focused = place;
        this.draw();
      }
    });
  }

  get gap() {
    return this.width < 640 ? 6 : 10;
  }

  get target() {
    return this.width < 640 ? Math.min(this.size, this.width / 2.6) : this.size;
  }

  show(results) {
    const other = this.results !== results;
    this.results = results;
    if (other) {
      this.focused = 0;
      this.sought = null;
      this.laid.clear();
    }
    this.lay();
  }

  resize(size) {
    this.size = size;
    localStorage.setItem("xuntu-size", String(size));
    this.lay();
  }

  measure() {
    const width = Math.floor(this.element.clientWidth);
    if (!width || width === this.width) return;
    this.width = width;
    this.lay();
  }

  // Computes where all lies, and keeps what the person looks at where it is.
  lay() {
    if (!this.width || !this.results) return;
    const anchor = this.goal;
    const { results, width, target, gap } = this;
    this.blocks = [];
    let top = 0, before = null;
    for (let from = 0; from < results.length; from += BLOCK) {
      const count = Math.min(BLOCK, results.length - from);
      const laid = this.layOnce(from, count, before) ?? { boxes: null, headers: [], height: guessHeight(count, width, target, gap), last: null };
      before = laid.last;
      this.blocks.push({ from, count, top, ...laid });
      top += laid.height;
    }
    this.height = top;
    this.element.style.height = `${Math.ceil(top)}px`;
    if (anchor) this.restore(anchor);
    this.draw();
  }

  // Where the pictures of a block lie, null while they are not there; worked out again only where that is another.
  layOnce(from, count, before) {
    const { results, width, target, gap } = this;
    const hits = results.block(from / BLOCK);
    if (!hits || hits.length < count) return null;
    const key = [count, width, target, gap, before].join(" "), known = this.laid.get(from);
    if (known?.hits === hits && known.key === key) return known;
    const groupOf = groupsOf(results.address);
    const laid = { hits, key, ...layBlock(hits.slice(0, count), { width, target, gap, groupOf, before }) };
    this.laid.set(from, laid);
    return laid;
  }

  // The first picture that is seen, and how far it is above the upper edge.
  anchor() {
    const top = this.scroller.scrollTop - this.offset();
    return !this.blocks.length || !this.scroller.scrollTop || top < 0 ? null : this.placeAt(top, null);
  }

  // The first picture that ends below a height, and how far below that it begins.
  placeAt(top, otherwise = { place: Math.max(0, this.results.length - 1), away: 0 }) {
    const block = this.blockAt(top);
    if (!block.boxes) return { place: block.from + Math.floor(block.count * Math.max(0, (top - block.top) / block.height)), away: 0 };
    const place = block.boxes.findIndex((box) => block.top + box.top + box.height > top);
    if (place >= 0) return { place: block.from + place, away: block.top + block.boxes[place].top - top };
    const last = this.boxOf(block.from + block.count - 1);
    return otherwise && { place: block.from + block.count - 1, away: last.top - top };
  }

  topOf({ place, away }) {
    return (this.boxOf(place)?.top ?? 0) - away;
  }

  // What is gone to and not there yet, unless the person has scrolled on; else what is seen.
  get goal() {
    const { sought } = this;
    return sought && (sought.at === undefined || Math.abs(this.scroller.scrollTop - sought.at) < 2) ? sought : this.anchor();
  }

  restore(anchor) {
    if (!this.width) { // it is not in the window yet
      this.sought = anchor;
      return;
    }
    if (this.boxOf(anchor.place)) this.scroller.scrollTop = this.offset() + this.topOf(anchor);
    const isThere = this.blocks[Math.floor(anchor.place / BLOCK)]?.boxes;
    this.sought = isThere ? null : { ...anchor, at: this.scroller.scrollTop };
  }

  // The pictures that an area touches, as far as they are there; in the order of the list.
  hitsIn({ left, right, top, bottom }) {
    const within = this.blocks.filter((block) => block.boxes && block.top < bottom && block.top + block.height > top);
    return within.flatMap((block) => block.boxes.flatMap((box, inside) => {
      const touches = block.top + box.top < bottom && block.top + box.top + box.height > top && box.left < right && box.left + box.width > left;
      return touches ? [this.results.at(block.from + inside)] : [];
    }));
  }

  // The first and the last place of the blocks that an area reaches over.
  spanOf({ top, bottom }) {
    const [first, last] = [this.blockAt(top), this.blockAt(bottom)];
    return [first.from, last.from + last.count - 1];
  }

  offset() {
    return this.element.offsetTop;
  }

  blockAt(top) {
    let [low, high] = [0, this.blocks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.blocks[middle].top <= top) low = middle;
      else high = middle - 1;
    }
    return this.blocks[low];
  }

  boxOf(place) {
    const block = this.blocks[Math.floor(place / BLOCK)];
    if (!block) return null;
    const inside = place - block.from;
    if (!block.boxes) return { top: block.top + (block.height * inside) / block.count, height: this.target, left: 0, width: 0 };
    const box = block.boxes[inside];
    return box && { ...box, top: block.top + box.top };
  }

  scrollTo(place, { focus = false } = {}) {
    const box = this.boxOf(place);
    if (!box) return;
    const [top, bottom] = [this.offset() + box.top, this.offset() + box.top + box.height];
    const { scrollTop, clientHeight } = this.scroller;
    const bar = this.app.barHeight();
    if (top - bar < scrollTop) this.scroller.scrollTop = top - bar - 12;
    else if (bottom + 30 > scrollTop + clientHeight) this.scroller.scrollTop = bottom + 40 - clientHeight;
    this.draw();
    if (focus) this.element.querySelector(`[data-place="${place}"] a.shot`)?.focus({ preventScroll: true });
  }

  jump(place) {
    this.restore({ place, away: this.app.barHeight() + 60 });
  }

  draw() {
    if (!this.results || !this.width) return;
    const { scrollTop, clientHeight } = this.scroller;
    const from = scrollTop - this.offset() - AHEAD * clientHeight;
    const to = scrollTop - this.offset() + (1 + AHEAD) * clientHeight;
    const seen = this.blocks.filter((block) => block.top < to && block.top + block.height > from);
    if (seen.length) this.results.need(seen[0].from, seen.at(-1).from + seen.at(-1).count - 1);
    const tiles = seen.flatMap((block) => this.inBlock(block, from, to));
    this.app.boards.need(tiles.filter((tile) => tile.hit).map((tile) => tile.hit.id));
    if (!tiles.some((tile) => tile.place === this.focused) && tiles.length) this.reachable = tiles.find((tile) => tile.hit)?.place;
    else this.reachable = this.focused;
    render(html`
      <div>${seen.flatMap((block) => block.headers.map((one) => html`
        <h2 class="group" style="top:${block.top + one.top}px">${this.app.words.month(one.group) || this.app.words.say("undated")}</h2>`))}</div>
      <div role="list">${repeat(tiles, (tile) => tile.key, (tile) => this.tile(tile))}</div>`, this.element);
  }

  inBlock(block, from, to) {
    if (!block.boxes) return this.ghosts(block, from, to);
    const found = [];
    block.boxes.forEach((box, inside) => {
      const top = block.top + box.top;
      if (top < to && top + box.height > from) {
        const hit = this.results.at(block.from + inside);
        found.push({ key: hit.id, hit, place: block.from + inside, box, top });
      }
    });
    return found;
  }

  ghosts(block, from, to) {
    const step = this.target + this.gap + 22, found = [];
    for (let top = block.top; top < block.top + block.height - 1; top += step) {
      if (top < to && top + this.target > from) found.push({ key: `ghost ${top}`, hit: null, place: -1, top, box: { left: 0, width: this.width, height: this.target } });
    }
    return found;
  }

  tile({ hit, place, box, top }) {
    const at = `transform:translate(${box.left}px,${top}px);width:${box.width}px;height:${box.height}px`;
    if (!hit) return html`<div class="ghost" style=${at} aria-hidden="true"></div>`;
    const { app } = this, { words } = app;
    const reason = hit.reasons.find((one) => !["name", "taken", "kind", "picture"].includes(one.field));
    const said = reason?.field === "place" ? words.place(reason.text) : reason?.text;
    const name = fileName(hit.path);
    const picked = app.selection.has(hit.id), loved = app.boards.isLoved(hit.id);
    const grade = this.results.asked ? gradeOf(words, hit) : "";
    const shape = ratioOf(hit);
    const classes = ["tile", picked && "picked", box.width < 120 && "narrow", hit.gone && "gone"].filter(Boolean).join(" ");
    const act = (kind, label, name_, hidden, on = false) => (hidden ? nothing : html`
      <button type="button" tabindex="-1" class=${on ? "on" : ""} aria-pressed=${kind === "favour" ? String(on) : nothing} data-act=${kind} title=${label} aria-label=${`${label}: ${name}`}>${icon(name_)}</button>`);
    return html`<div class=${classes} role="listitem" data-place=${place} data-id=${hit.id} style=${at}>
      <a class="shot ${isWhole(shape) ? "" : "whole"}" style=${groundOf(hit)} href=${app.hrefOf({ id: hit.id, t: hit.part?.at ?? null })} draggable="true"
         tabindex=${place === this.reachable ? 0 : -1} aria-label=${[altOf(words, hit, said), loved && words.say("favourite")].filter(Boolean).join(" · ")} title=${[said, hit.path, grade].filter(Boolean).join("\n")}>
        <img src=${app.service.thumbnail(hit, TILE)} alt="" decoding="async" draggable="false" @load=${this.onThere} @error=${this.onBroken}>
        ${hit.part?.at != null ? html`<span class="time">${icon("play")}${clock(hit.part.at)}</span>` : nothing}
        ${loved ? html`<span class="loved">${icon("heart")}</span>` : nothing}
        ${hit.duplicates ? html`<span class="folded" title=${words.say("folded", { n: hit.duplicates })}>+${hit.duplicates}</span>` : nothing}
      </a>
      <button type="button" class="check" tabindex="-1" data-act="pick" role="checkbox" aria-checked=${picked} aria-label=${`${words.say("select")}: ${name}`}>${icon("check")}</button>
      <span class="acts">
        ${act("favour", words.say("favourite"), "heart", !app.boards.there, loved)}
        ${act("more", words.say("more_like"), "plus")}
        ${act("less", words.say("less_like"), "minus", !this.results.asked)}
      </span>
      <span class="said"><span class="text">${said ?? name}</span>${grade ? html`<span class="grade">${grade}</span>` : nothing}</span>
    </div>`;
  }

  onThere(event) {
    const { classList } = event.target.closest(".shot");
    delete event.target.dataset.tries;
    classList.remove("broken");
    classList.add("there");
  }

  // A service that is busy or away refuses pictures that it has later; all of them are not asked for at once.
  onBroken(event) {
    const image = event.target, { src } = image, tries = Number(image.dataset.tries ?? 0);
    image.closest(".shot").classList.add("broken");
    image.dataset.tries = tries + 1;
    if (tries >= AGAIN_MS.length) return;
    setTimeout(() => {
      if (image.isConnected && image.src === src) image.src = src;
    }, AGAIN_MS[tries] * (1 + Math.random()));
  }

  onClick(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    const place = Number(tile.dataset.place);
    const act = event.target.closest("[data-act]")?.dataset.act;
    if (act === "pick" || event.shiftKey || event.ctrlKey || event.metaKey || this.held || (event.detail > 0 && this.app.selection.size && event.target.closest("a.shot"))) {
      event.preventDefault();
      if (!this.held) this.app.pick(place, event.shiftKey);
      this.held = false;
      return;
    }
    if (act) this.app[act](this.results.at(place));
    else if (event.target.closest("a.shot") && event.button === 0 && !event.altKey) {
      event.preventDefault();
      this.app.open(place);
    }
  }

  // A finger that stays selects.
  onHold(event) {
    const tile = event.target.closest(".tile");
    this.held = false;
    if (!tile || event.pointerType === "mouse") return;
    const timer = setTimeout(() => {
      this.held = true;
      this.app.pick(Number(tile.dataset.place), false);
    }, HOLD_MS);
    const end = () => clearTimeout(timer);
    ["pointerup", "pointercancel", "pointermove"].forEach((kind) => tile.addEventListener(kind, (moved) => {
      if (kind !== "pointermove" || Math.hypot(moved.clientX - event.clientX, moved.clientY - event.clientY) > 8) end();
    }));
  }

  onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !event.target.matches("a.shot")) return;
    const { focused } = this;
    const places = {
      ArrowRight: focused + 1, ArrowLeft: focused - 1, ArrowDown: this.vertical(1), ArrowUp: this.vertical(-1),
      Home: 0, End: this.results.length - 1, PageDown: this.vertical(4), PageUp: this.vertical(-4),
    };
    const hit = this.results.at(focused);
    if (event.key in places) this.move(places[event.key], event.shiftKey);
    else if (event.key === " " || event.key === "x") this.app.pick(focused, event.shiftKey);
    else if (event.key === "+" || event.key === "m") this.app.more(hit);
    else if (event.key === "-" && this.results.asked) this.app.less(hit);
    else if (event.key === "f" && hit) this.app.favour(hit);
    else return;
    event.preventDefault();
  }

  move(place, picks) {
    this.focused = Math.max(0, Math.min(this.results.length - 1, place));
    if (picks) this.app.pick(this.focused, true);
    this.scrollTo(this.focused, { focus: true });
  }

  // The place that lies so many rows below, as near to the middle of the present one as can be.
  vertical(rows) {
    const here = this.boxOf(this.focused);
    if (!here) return this.focused;
    const middle = here.left + here.width / 2, step = Math.sign(rows);
    let place = this.focused, best = this.focused, top = here.top, left = Math.abs(rows);
    for (;;) {
      place += step;
      const box = place >= 0 && place < this.results.length ? this.boxOf(place) : null;
      if (!box) return left === Math.abs(rows) && best === this.focused ? Math.max(0, Math.min(place - step, this.results.length - 1)) : best;
      if (box.top !== top) {
        left -= 1;
        top = box.top;
        if (left < 0) return best;
        best = place;
      }
      const known = this.boxOf(best);
      if (Math.abs(box.left + box.width / 2 - middle) < Math.abs(known.left + known.width / 2 - middle) || known.top !== top) best = place;
    }
  }
}
