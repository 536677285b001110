// The handle of a sheet on a small screen: a tap or a pull down closes it.
import { html } from "./vendor/lit-html/lit-html.js";

const FAR = 70; // pixels that are a pull
const TAP = 6;

export function grip(label, onClose) {
  let from = null, moved = false;
  const sheetOf = (event) => event.currentTarget.parentElement;
  const down = (event) => {
    [from, moved] = [event.clientY, false];
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const move = (event) => {
    if (from === null) return;
    const by = Math.max(0, event.clientY - from);
    moved ||= by > TAP;
    sheetOf(event).style.transform = by ? `translateY(${by}px)` : "";
  };
  const end = (event) => {
    if (from === null) return;
    const by = event.type === "pointerup" ? event.clientY - from : 0;
    from = null;
    sheetOf(event).style.transform = "";
    if (by > FAR) onClose();
  };
  return html`<button type="button" class="grip" aria-label=${label} title=${label} @pointerdown=${down} @pointermove=${move} @pointerup=${end} @pointercancel=${end}
    @click=${() => moved || onClose()}></button>`;
}
