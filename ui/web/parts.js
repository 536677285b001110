// Small parts that several views share.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
export { icon } from "./vendor/lucide-static/icons.js";
import { icon } from "./vendor/lucide-static/icons.js";

export const mark = html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7"/>
  <circle cx="14" cy="14" r="6.4"/><path d="m18.8 18.8 5.4 5.4"/><path class="hills" d="m9.8 16 2.9-3.2 2.2 2 1.6-1.6 2 2.4"/></svg>`;

export const button = (label, name, onClick, { kind = "", pressed = null, busy = false, iconOnly = false } = {}) => html`
  <button type="button" class="button ${kind} ${iconOnly ? "round" : ""}" @click=${onClick} ?disabled=${busy}
    aria-pressed=${pressed === null ? nothing : String(pressed)} title=${iconOnly ? label : nothing} aria-label=${iconOnly ? label : nothing}>
    ${name ? icon(name) : nothing}${iconOnly ? nothing : html`<span>${label}</span>`}</button>`;

// A menu below its button: closes when something else is clicked, and with Escape.
export function menu(label, name, contents, { kind = "", iconOnly = false } = {}) {
  const close = (event) => {
    const details = event.currentTarget;
    if (event.type === "keydown" ? event.key === "Escape" && details.open : !details.contains(event.relatedTarget)) {
      if (event.type === "keydown") {
        event.stopPropagation();
        details.querySelector("summary").focus();
      }
      details.open = false;
    }
  };
  return html`<details class="menu ${kind}" @focusout=${(event) => event.relatedTarget && close(event)} @keydown=${close}>
    <summary class="button ${iconOnly ? "round" : ""}" title=${label} aria-label=${iconOnly ? label : nothing}>${icon(name)}${iconOnly ? nothing : html`<span>${label}</span>`}</summary>
    <div class="sheet">${contents}</div></details>`;
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not over plain HTTP
    const area = document.createElement("textarea");
    area.value = text;
    area.style.cssText = "position:fixed;opacity:0";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

export function download(url, name = "") {
  const anchor = Object.assign(document.createElement("a"), { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
}

// Formats that browsers show as they are.
export const SHOWN_BY_BROWSERS = new Set(["jpeg", "png", "webp", "gif", "avif", "bmp"]);
