// Suggestions below the search box: what was searched before, and what the library has.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { but } from "./address.js";
import { icon } from "./parts.js";
import { AWAY, written } from "./terms.js";

const RECENT = "xuntu-recent";
const MOST_RECENT = 30;
const SHOWN = 8;
const PAUSE_MS = 90;
const ICONS = { place: "map-pin", camera: "camera", lens: "aperture", tag: "tag", path: "folder", folder: "folder", person: "heart", name: "file-text" };

export class Suggestions {
  constructor(app) {
    Object.assign(this, { app, open: false, chosen: -1, found: [], composing: false });
    try {
      this.recent = JSON.parse(localStorage.getItem(RECENT)) ?? [];
    } catch {
      this.recent = [];
    }
  }

  remember(text) {
    if (!text.trim()) return;
    this.recent = [text.trim(), ...this.recent.filter((one) => one !== text.trim())].slice(0, MOST_RECENT);
    localStorage.setItem(RECENT, JSON.stringify(this.recent));
  }

  focus() {
    if (!this.app.box.value) this.show([]);
  }

  type(event) {
    if (event.isComposing) return; // an input method is still at it
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), PAUSE_MS);
  }

  // The last word is what is being typed.
  get word() {
    return this.app.box.value.split(/\s+/).at(-1).replace(/^[-−－]/, "");
  }

  async look() {
    const asked = this.word;
    if (!asked) {
      this.show([]);
      return;
    }
    try {
      const answer = await this.app.service.ask(`suggest?${new URLSearchParams({ q: asked, limit: SHOWN })}`, { keep: true });
      if (asked === this.word && this.app.box.matches(":focus")) this.show(answer.suggestions);
    } catch {
      this.show([]); // the box is whole without them
    }
  }

  show(found) {
    const text = this.app.box.value.trim().toLowerCase();
    const before = this.recent.filter((one) => one.toLowerCase().startsWith(text) && one.toLowerCase() !== text).slice(0, found.length ? 3 : SHOWN);
    this.found = [...before.map((one) => ({ text: one, recent: true })), ...found];
    this.open = this.found.length > 0 && this.app.box.matches(":focus");
    this.chosen = -1;
    this.app.update();
  }

  close() {
    clearTimeout(this.timer);
    if (!this.open) return;
    this.open = false;
    this.chosen = -1;
    this.app.update();
  }

  key(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) {
      event.preventDefault();
      this.open = true;
      this.chosen = ((this.chosen + 1 + step + this.found.length + 1) % (this.found.length + 1)) - 1;
      this.app.update();
    } else if (event.key === "Enter" && this.open && this.chosen >= 0) {
      event.preventDefault();
      this.take(this.found[this.chosen]);
    } else if (event.key === "Escape") {
      event.preventDefault(); // a browser would empty the box
      this.close();
    }
  }

  take(one) {
    const { app } = this;
    this.close();
    if (one.recent) {
      app.box.value = one.text;
      app.submit();
      return;
    }
    const before = app.box.value.slice(0, app.box.value.length - this.word.length), rest = before.trim();
    const value = (/^\w+="(.*)"$/.exec(one.where)?.[1] ?? one.text).replaceAll('""', '"');
    const away = /(?:^|\s)[-−－]$/.test(before) ? written(one.field === "place" ? app.words.place(one.text) : one.text, AWAY) : null; // a minus is for words
    const q = away ? rest.slice(0, -1) + away : one.field === "name" ? `${rest} ${one.text}`.trim() : rest;
    app.go(but(app.typed(), { ...(away ? {} : this.changes(one.field, value)), q, literal: false, plain: [] }), { setsBox: true });
  }

  // What of an address a suggestion stands for.
  changes(field, value) {
    const { fields } = this.app.address;
    if (field === "name") return {};
    if (field === "place") return { place: value };
    if (field === "path") return { folder: value };
    return { fields: [...fields.filter(([name, said]) => name !== field || said !== value), [field, value]] };
  }

  view() {
    if (!this.open) return html`<ul id="suggestions" role="listbox" hidden></ul>`;
    const { words } = this.app;
    return html`<ul id="suggestions" class="suggestions" role="listbox" aria-label=${words.say("suggestions")}>
      ${this.found.map((one, place) => html`<li role="option" id=${`suggestion-${place}`} aria-selected=${String(place === this.chosen)}
        @mousedown=${(event) => { event.preventDefault(); this.take(one); }}>
        ${icon(one.recent ? "history" : ICONS[one.field] ?? "tag")}<span class="text">${one.field === "place" ? words.place(one.text) : one.text}</span>
        ${one.recent ? nothing : html`<span class="field">${one.label}</span><span class="count">${words.number(one.count)}</span>`}</li>`)}</ul>`;
  }
}
