// Which pictures are listed: asked for once, kept for going back, and looked for again while there is nothing yet.
import { asks, listed, write } from "./address.js";
import { Results } from "./results.js";

const KEPT = 8;
const GROW_MS = 3_000;
const FIRST = 12; // pictures, that a person waits for

// Resolves when the first pictures of a list are drawn, which is laid once it is known how wide it may be.
async function firstDrawn(element) {
  const list = () => [...element.querySelectorAll("img")].slice(0, FIRST);
  while (element.isConnected && !list().length) await new Promise(requestAnimationFrame);
  await Promise.all(list().map((one) => one.decode().catch(() => {})));
}

export class Listing {
  constructor(app) {
    Object.assign(this, { app, kept: new Map(), pending: null });
    this.shown = new Promise((resolve) => { this.tellShown = resolve; });
  }

  async search({ restores = null } = {}) {
    const { app } = this, key = `${app.words.lang} ${listed(app.address)}`;
    const known = this.kept.get(key);
    if (this.pending) this.pending.stop();
    this.pending = null;
    if (known && known.answer.build === app.service.build) {
      this.arrive(known, restores);
      return;
    }
    const results = new Results(app.service, app.address, { onChange: () => this.grew(results) });
    this.pending = results;
    app.busy = true;
    app.update();
    try {
      await results.begin();
    } catch (error) {
      if (this.pending === results && error.name !== "AbortError") this.fail(error);
      return;
    }
    if (this.pending !== results) return;
    this.pending = null;
    this.kept.set(key, results);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    this.arrive(results, restores);
  }

  arrive(results, restores) {
    const { app } = this;
    Object.assign(app, { results, error: null, busy: false });
    if (results.asked) app.visited = true;
    app.learnAsked();
    app.grid.show(results);
    app.draw();
    if (restores) app.grid.restore(restores);
    else app.scroller.scrollTop = 0;
    app.grid.draw();
    this.tellShown(firstDrawn(app.grid.element));
    app.facets.count();
    app.timeline.count();
    app.opening.follow();
    this.follow();
  }

  fail(error) {
    const { app } = this;
    this.pending = null;
    this.tellShown();
    Object.assign(app, { error, busy: false, results: null });
    if (app.address.id !== null) { // it would open by itself later
      app.address = { ...app.address, id: null, part: null, t: null };
      history.replaceState({ xuntu: true }, "", write(app.address) || location.pathname);
    }
    app.update();
    if (error.code === "no_index") this.waitForFirst();
  }

  grew(results) {
    const { app } = this;
    if (results !== app.results) return;
    app.grid.lay();
    app.picture.refresh();
    app.update();
  }

  forget() {
    this.app.service.answers.clear();
    this.kept.clear();
    this.app.facets.key = "";
  }

  // Lists that boards narrow are others by now.
  forgetBoards() {
    const { answers } = this.app.service;
    [...answers.keys()].filter((key) => key.includes('"board":')).forEach((key) => answers.delete(key));
    for (const [key, results] of this.kept) if (results.address.board || results.address.fields.some(([name]) => name === "board")) this.kept.delete(key);
    this.app.facets.key = "";
  }

  // `stays`: the person is left where they are in the list.
  again({ stays = false } = {}) {
    this.forget();
    return this.search({ restores: stays ? this.app.grid.anchor() : null });
  }

  // While a first build is being made there is nothing to search: it is looked for again, and shown once it is there.
  waitForFirst() {
    clearTimeout(this.firstTimer);
    const { app } = this;
    this.firstTimer = setTimeout(async () => {
      if (app.error?.code !== "no_index" || app.page !== "search") return;
      await app.refreshInfo();
      if (app.info) this.again();
      else this.waitForFirst();
    }, GROW_MS);
  }

  // While the library grows, what is not searched and not scrolled grows with it.
  follow() {
    clearTimeout(this.timer);
    const { app } = this;
    if (!app.job) return;
    this.timer = setTimeout(async () => {
      const before = app.info?.build;
      await app.refreshInfo();
      const isIdle = app.results && !app.results.asked && !app.scroller.scrollTop && !app.selection.size && !app.picture.isOpen;
      if (app.info?.build !== before && isIdle) this.again();
      this.follow();
    }, GROW_MS);
  }
}

// By which the pictures of a list have headers: their month, where they are in the order of time.
export function groupOf(address) {
  const sort = address.sort || (asks(address) ? "" : "-taken");
  if (sort !== "-taken" && sort !== "taken") return () => null;
  return (hit) => String(hit.fields?.taken ?? "").slice(0, 7);
}
