// The library on a map: what the same search and conditions leave, counted where it was taken.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { body, but } from "./address.js";
import { button } from "./parts.js";

const MOST_CELLS = 2_000;
const HITS = 10_000;
const NEARLY_ALL = 0.9;
const WORLD = 2; // zoom, at which cells tell where in the world there are pictures

// The cells, of which the largest come first, that have nearly all pictures: a few far away do not make the rest small.
function most(cells) {
  let left = NEARLY_ALL * cells.reduce((sum, one) => sum + one.count, 0);
  return cells.filter((one) => {
    left -= one.count;
    return left + one.count > 0;
  });
}

export class MapView {
  constructor(app) {
    Object.assign(this, { app, map: null, key: "", framed: "", wasShown: false, told: null, element: document.createElement("div") });
    this.element.className = "map-room";
  }

  get isShown() {
    return this.app.address.view === "map";
  }

  // Sees to it that there is a map where one is asked for, and that it shows what is asked.
  async follow() {
    const { app } = this, isOpened = this.isShown && !this.wasShown;
    if (!this.making) this.wasShown = this.isShown && app.page === "search";
    if (!this.isShown || app.page !== "search" || this.making) return;
    if (!this.map) {
      this.making = true;
      try {
        const { mountMap } = await import("./map/map.js");
        this.map = await mountMap(this.element, {
          lang: app.words.lang, theme: app.host.dataset.theme, onMove: (seen) => this.count(seen), onPick: (picked) => this.pick(picked),
        });
        this.lang = app.words.lang;
      } catch {
        this.broken = true;
        app.update();
        return;
      } finally {
        this.making = false;
      }
    }
    this.map.setLook({ lang: app.words.lang, theme: app.host.dataset.theme });
    if (isOpened) await this.frame();
    if (this.seen) this.count(this.seen);
  }

  get asked() {
    return { ...body({ ...this.app.address, sort: "", bounds: "" }), limit: MOST_CELLS, first: HITS };
  }

  // Opened for something else than before, the map shows the part of the earth that has most of the pictures.
  async frame() {
    const { app, asked } = this, key = JSON.stringify(asked);
    if (key === this.framed) return;
    this.framed = key;
    try {
      const found = await app.service.ask("places", { method: "POST", body: { ...asked, zoom: WORLD }, keep: true });
      if (this.framed === key) this.map.fit(most(found.cells));
    } catch {
      this.framed = ""; // the map is as it was
    }
  }

  async count(seen) {
    const { app } = this;
    this.seen = seen;
    const { west, south, east, north } = seen.bounds;
    const asked = { ...this.asked, zoom: Math.min(16, seen.zoom + 2), bounds: [west, south, east, north].map((one) => one.toFixed(3)).join(",") };
    const key = JSON.stringify([asked, app.service.build]);
    if (key === this.key) return;
    this.key = key;
    try {
      const found = await app.service.ask("places", { method: "POST", body: asked, keep: true });
      if (this.key !== key) return;
      this.told = found;
      this.map.setPoints(found.cells);
    } catch (error) {
      this.key = "";
      app.complain(error.message);
    }
    app.update();
  }

  pick({ bounds: { west, south, east, north } }) {
    const wide = (low, high) => (low === high ? [low - 0.001, high + 0.001] : [low, high]);
    const [left, right] = wide(west, east), [bottom, top] = wide(south, north);
    this.app.go(but(this.app.typed(), { view: "", bounds: [left, bottom, right, top].map((one) => one.toFixed(4)).join(",") }));
  }

  view() {
    const { app } = this, { words } = app;
    if (!this.isShown) return nothing;
    if (this.broken) return html`<section class="card" role="alert"><h1>${words.say("map")}</h1><p>${words.say("no_map")}</p></section>`;
    return html`<div class="map-head"><p class="line" role="status">${this.told ? words.say("with_place", { n: this.told.counted - this.told.missing }) : ""}</p>
      ${button(words.say("as_list"), "layout-grid", () => app.go(but(app.typed(), { view: "" })))}</div>${this.element}`;
  }
}
