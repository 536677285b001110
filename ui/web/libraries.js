// The libraries of a service that has several, and the one that this document shows: another one is another document,
// so that no picture, board or answer of one is taken for that of another.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BLANK, listed, parse, write } from "./address.js";

const CHOSEN = "xuntu-library";
const DEFAULT = "default"; // what a path without a name means

export class Libraries {
  // `named`: by the address.
  constructor(app, named) {
    Object.assign(this, { app, list: [], named });
  }

  // The one to begin with where an address names none: the one of the last visit, unless the address asks for something.
  static begin(address, page) {
    const isBlank = page === "search" && address.id === null && !address.view && listed(address) === listed(BLANK);
    return address.library || (isBlank && localStorage.getItem(CHOSEN)) || "";
  }

  get here() {
    return this.app.service.library || (this.list.length && !this.has(DEFAULT) ? this.list[0].name : DEFAULT);
  }

  has(name) {
    return this.list.some((one) => one.name === name);
  }

  async load() {
    try {
      this.list = (await this.app.service.ask("libraries")).libraries;
    } catch {
      return; // what is wrong, the search says
    }
    this.settle();
    this.app.update();
  }

  // Goes to the library of the last visit, and away from one that is there no more or may not be asked.
  settle() {
    const { app, named } = this, kept = localStorage.getItem(CHOSEN) ?? "";
    if (kept && !this.has(kept)) localStorage.removeItem(CHOSEN);
    if (named || !this.list.length) return;
    if (app.service.library && !this.has(app.service.library)) this.open("", { replaces: true });
    else if (!app.service.library && app.page === "library" && this.has(kept) && kept !== DEFAULT) this.open(kept, { replaces: true });
    else if (!app.service.library && !this.has(DEFAULT)) this.open(this.list[0].name, { replaces: true });
  }

  // Shows another library; `search` is what is asked of it, by default nothing.
  open(name, { search = null, replaces = false } = {}) {
    const library = name === DEFAULT ? "" : name, { app } = this;
    if (library) localStorage.setItem(CHOSEN, library);
    else localStorage.removeItem(CHOSEN);
    const params = new URLSearchParams(app.page === "library" ? location.search : write({ ...BLANK, lang: app.address.lang }));
    if (library) params.set("library", library);
    else params.delete("library");
    const said = search ?? (params.size ? `?${params}` : "");
    location[replaces ? "replace" : "assign"](said || location.pathname);
  }

  // What a link of another library leads to; whether it did.
  follow(address) {
    if (address.library === this.app.service.library) return false;
    this.open(address.library, { search: write(address) });
    return true;
  }

  view() {
    const { app, list, here } = this, { words } = app;
    if (list.length < 2) return nothing;
    return html`<label class="library"><span class="hush">${words.say("library")}</span>
      <select title=${words.say("library")} @change=${(event) => this.open(event.target.value)}>${list.map((one) => html`<option value=${one.name}
        ?selected=${one.name === here}>${one.name === DEFAULT ? words.say("library_default") : one.name} (${words.number(one.pictures)})</option>`)}</select></label>`;
  }
}

export const isOfThis = (app, search) => parse(search).library === app.service.library;
