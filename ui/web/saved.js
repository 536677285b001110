// Searches that the person keeps in this browser.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { asks, narrows, parse, write } from "./address.js";
import { isOfThis } from "./libraries.js";
import { icon } from "./parts.js";

const SAVED = "xuntu-saved";

export class SavedSearches {
  constructor(app) {
    this.app = app;
    try {
      this.list = JSON.parse(localStorage.getItem(SAVED)) ?? [];
    } catch {
      this.list = [];
    }
  }

  keep(list) {
    this.list = list;
    localStorage.setItem(SAVED, JSON.stringify(list));
    this.app.update();
  }

  // What is asked now, as a link without the language and without an open picture.
  get here() {
    return write({ ...this.app.typed(), lang: "", id: null, part: null, t: null });
  }

  save() {
    const { here } = this, address = parse(here);
    const name = [address.q, address.pictures.length && this.app.words.say("pictures_n", { n: address.pictures.length }), address.folder, this.app.words.place(address.place), address.from.slice(0, 7),
      ...address.colours.map((one) => this.app.words.name("colours", one)), ...address.fields.map(([, value]) => value)].filter(Boolean).join(" · ");
    this.keep([{ name: name || this.app.words.say("search"), here }, ...this.list.filter((one) => one.here !== here)]);
  }

  panel() {
    const { app } = this, { words } = app, may = asks(app.address) || narrows(app.address);
    const own = this.list.filter((one) => isOfThis(app, one.here));
    if (!own.length && !may) return nothing;
    const isKept = this.list.some((one) => one.here === this.here);
    return html`<details class="group" open><summary>${words.say("saved_searches")}${icon("chevron-down")}</summary><ul role="list">
      ${own.map((one) => html`<li class="kept"><a class="value" href=${one.here} @click=${app.following(() => app.go({ ...parse(one.here), lang: app.address.lang }, { setsBox: true }))}>${icon("star")}<span class="label" title=${one.name}>${one.name}</span></a>
        <button type="button" class="round" aria-label=${words.say("remove", { what: one.name })} title=${words.say("remove", { what: one.name })} @click=${() => this.keep(this.list.filter((other) => other !== one))}>${icon("x")}</button></li>`)}</ul>
      ${may && !isKept ? html`<button type="button" class="all" @click=${() => this.save()}>${words.say("save_search")}</button>` : nothing}</details>`;
  }
}
