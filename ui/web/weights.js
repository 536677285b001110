// How much a part of what is asked counts: a button that is dragged, clicked, or moved by keys.
import { html } from "./vendor/lit-html/lit-html.js";

const SIZES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9, 10]; // 10 is the most that the service takes
const STOPS = [...SIZES.map((one) => -one).reverse(), ...SIZES];
const CLICKED = [0.5, 1, 2];
const STEP = 9; // pixels of a drag from stop to stop
const DEAD = 4; // pixels, below which it was a click
const PAUSE_MS = 500; // after the last key
const KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5, Home: -STOPS.length, End: STOPS.length };

export const factor = (weight) => `${weight < 0 ? "−" : ""}×${Math.abs(weight) === 0.5 ? "½" : Math.abs(Number(weight.toFixed(2)))}`;

// The weight that lies so many stops away.
function beside(weight, steps) {
  const nearest = STOPS.reduce((best, one, place) => (Math.abs(one - weight) < Math.abs(STOPS[best] - weight) ? place : best), 0);
  return STOPS[Math.min(STOPS.length - 1, Math.max(0, nearest + steps))];
}

// The next of those that a click goes through, with the same sign.
function next(weight) {
  const size = CLICKED[(CLICKED.indexOf(Math.abs(weight)) + 1) % CLICKED.length];
  return weight < 0 ? -size : size;
}

export class Weights {
  constructor(app) {
    Object.assign(this, { app, held: null, focused: "" });
  }

  // The weight that is shown of a chip: the one that is being tried, or its own.
  of(key, weight) {
    return this.held?.key === key ? this.held.weight : weight;
  }

  // `key` tells the chips apart; `set(weight)` is called once, when the person has chosen.
  button(key, own, set) {
    const { words } = this.app, weight = this.of(key, own);
    return html`<button type="button" class="weight ${this.held?.key === key ? "held" : ""}" role="slider" data-weight=${key} title=${words.say("weight_hint")}
      aria-label=${words.say("weight_of", { what: key.slice(key.indexOf(":") + 1) })} aria-valuemin=${STOPS[0]} aria-valuemax=${STOPS.at(-1)} aria-valuenow=${weight} aria-valuetext=${factor(weight)}
      @pointerdown=${(event) => this.grasp(event, key, own, set)} @pointermove=${(event) => this.drag(event)}
      @pointerup=${(event) => this.release(event)} @pointercancel=${() => this.drop()} @click=${(event) => this.click(event, key, own, set)}
      @keydown=${(event) => this.key(event, key, own, set)} @blur=${() => this.settle()}>${factor(Math.abs(weight))}</button>`;
  }

  try(weight) {
    this.held.weight = weight;
    this.app.update();
  }

  grasp(event, key, own, set) {
    if (event.button !== 0 || !event.isPrimary) return;
    this.settle();
    event.currentTarget.setPointerCapture(event.pointerId);
    this.held = { key, own, weight: own, set, pointer: event.pointerId, from: event.clientX, moved: false };
  }

  drag(event) {
    const { held } = this;
    if (held?.pointer !== event.pointerId) return;
    const by = event.clientX - held.from;
    if (!held.moved && Math.abs(by) < DEAD) return;
    held.moved = true;
    this.try(beside(held.own, Math.round(by / STEP)));
  }

  release(event) {
    const { held } = this;
    if (held?.pointer !== event.pointerId) return;
    if (held.moved) {
      this.dragged = true; // a click follows, which is none
      setTimeout(() => { this.dragged = false; });
      this.settle();
    } else this.held = null;
  }

  drop() {
    this.held = null;
    this.app.update();
  }

  click(event, key, own, set) {
    if (this.dragged) return;
    const weight = this.of(key, own);
    this.held = null;
    this.focused = key;
    set(next(weight));
  }

  key(event, key, own, set) {
    if (event.key === "Escape" && this.held) {
      event.stopPropagation();
      this.stop();
      this.drop();
      return;
    }
    const steps = KEYS[event.key];
    if (!steps || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (this.held?.key !== key) this.held = { key, own, weight: own, set, pointer: null };
    this.focused = key;
    this.try(beside(this.held.weight, steps));
    this.stop();
    this.timer = setTimeout(() => this.settle(), PAUSE_MS);
  }

  stop() {
    clearTimeout(this.timer);
  }

  // What was tried holds.
  settle() {
    this.stop();
    const { held } = this;
    if (!held) return;
    this.held = null;
    if (held.weight === held.own) this.app.update();
    else held.set(held.weight);
  }

  // The chips may stand in another order once the answer is there: the focus stays with the chip whose weight was changed.
  refocus(root) {
    if (!this.focused) return;
    const { activeElement } = root;
    if (activeElement && !activeElement.matches(".weight, .scroller")) this.focused = "";
    else if (activeElement?.dataset.weight !== this.focused) [...root.querySelectorAll(".weight")].find((one) => one.dataset.weight === this.focused)?.focus({ preventScroll: true });
  }
}
