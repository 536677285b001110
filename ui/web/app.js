// The page: what it shows, and what follows from what the person does.
import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { createRef } from "./vendor/lit-html/directives/ref.js";
import { BLANK, asks, but, dwell, listed, parse, withPicture, write } from "./address.js";
import { header, row, searchBox } from "./bar.js";
import { Boards } from "./boards.js";
import { FacetCounts, panel } from "./facets.js";
import { Given } from "./given.js";
import { Grid } from "./grid.js";
import { MapView } from "./mapview.js";
import { Opening } from "./opening.js";
import { Picture } from "./picture.js";
import { Libraries } from "./libraries.js";
import { Listing } from "./listing.js";
import { Marquee } from "./marquee.js";
import { SavedSearches } from "./saved.js";
import { Selection } from "./selection.js";
import { Service } from "./service.js";
import * as states from "./states.js";
import { Suggestions } from "./suggest.js";
import { Theme } from "./theme.js";
import { Timeline } from "./timeline.js";
import { tourOf } from "./tour.js";
import { Weights } from "./weights.js";
import { Words } from "./words.js";

const NARROW = "(max-width: 700px)";
const TOLD_MS = 2_600;

export class App {
  constructor(host, root, options) {
    const asked = parse(location.search);
    const address = { ...asked, library: Libraries.begin(asked, options.page) };
    dwell(address.library);
    Object.assign(this, {
      host, root, options, address, page: options.page, info: null, results: null, error: null, details: new Map(),
      complaint: "", told: "", busy: false, lost: false, job: null, visited: false, frame: 0, boxRef: createRef(),
    });
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.scroller = Object.assign(document.createElement("div"), { className: "scroller" });
    this.body = document.createElement("div");
    root.append(this.body);
    this.words = new Words(this.langOf(address), options.labels[this.langOf(address)]);
    this.service = new Service(options.base, { lang: this.words.lang, library: address.library, onConnection: () => this.update() });
    this.libraries = new Libraries(this, asked.library);
    this.listing = new Listing(this);
    this.grid = new Grid(this, this.scroller);
    this.boards = new Boards(this);
    this.facets = new FacetCounts(this);
    this.given = new Given(this);
    this.map = new MapView(this);
    this.marquee = new Marquee(this);
    this.picture = new Picture(this);
    this.opening = new Opening(this);
    this.saved = new SavedSearches(this);
    this.selection = new Selection(this);
    this.suggest = new Suggestions(this);
    this.timeline = new Timeline(this);
    this.weights = new Weights(this);
    this.theme = new Theme(host, options, () => this.update());
    this.panelOpen = !this.narrow && localStorage.getItem("xuntu-panel") === "open";
    this.listen();
    this.draw();
    this.libraries.load();
    if (this.page === "search") this.begin();
  }

  begin() {
    this.started = true;
    if (this.address.library && !this.libraries.named) history.replaceState(history.state, "", write(this.address));
    this.box.value = this.address.q;
    this.listing.search({ restores: history.state?.place }); // what a person waits for comes first; loaded anew, it is where it was
    this.refreshInfo();
    this.boards.load();
  }

  listen() {
    addEventListener("popstate", () => this.moved());
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    matchMedia(NARROW).addEventListener("change", () => this.update());
    document.addEventListener("keydown", (event) => this.onKey(event));
  }

  langOf(address) {
    if (address.lang in this.options.labels) return address.lang;
    return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
  }

  get narrow() {
    return matchMedia(NARROW).matches;
  }

  get box() {
    return this.boxRef.value;
  }

  get answer() {
    return this.results?.answer ?? null;
  }

  // -- addresses ---------------------------------------------------------------------------------------------------

  // The address with what stands in the box but was not sent yet, so that nothing typed is lost.
  typed() {
    const q = this.box.value.trim();
    return q === this.address.q ? this.address : { ...this.address, q, literal: false, plain: [] };
  }

  hrefOf(changes) {
    return write({ ...this.address, ...changes }) || location.pathname;
  }

  pageOf(page) {
    return `${this.options.base}${page === "search" ? "" : page}${write({ ...BLANK, lang: this.address.lang })}`;
  }

  // A click that stays in this page; with a key held down it is the browser's.
  following(deed) {
    return (event) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      deed();
    };
  }

  go(address, { setsBox = false, clearsBox = false, replaces = false } = {}) {
    if (this.libraries.follow(address)) return;
    const before = this.address;
    this.picture.dismiss();
    this.address = address;
    if (setsBox || clearsBox) this.box.value = address.q;
    const href = write(address) || location.pathname;
    if (replaces) history.replaceState({ xuntu: true }, "", href);
    else if (write(address) !== write(before)) {
      this.rememberPlace();
      history.pushState({ xuntu: true }, "", href);
    }
    this.title();
    if (listed(address) !== listed(before) || !this.results || this.error) this.listing.search();
    else this.update();
  }

  submit() {
    this.suggest.close();
    this.suggest.remember(this.box.value);
    const typed = this.typed();
    if (listed(typed) === listed(this.address) && !this.error) this.listing.again();
    else this.go(but(typed, { sort: asks(typed) ? "" : typed.sort }));
  }

  // Back and forward: what was listed is there at once, and where it was.
  moved() {
    const before = this.address;
    this.address = parse(location.search);
    this.page = this.options.pageOf(location.pathname);
    if (this.address.library !== this.service.library) {
      location.reload();
      return;
    }
    if (this.page !== "search") {
      this.update();
      return;
    }
    if (this.address.q !== before.q) this.box.value = this.address.q;
    if (this.langOf(this.address) !== this.words.lang) this.speak(this.langOf(this.address), { keepsAddress: true });
    this.title();
    if (listed(this.address) !== listed(before) || !this.results) this.listing.search({ restores: history.state?.place });
    else this.opening.follow();
    this.update();
  }

  rememberPlace() {
    const { place, away } = this.grid.goal ?? {};
    history.replaceState({ xuntu: true, place: place === undefined ? null : { place, away } }, "", location.href);
  }

  scrolled() {
    clearTimeout(this.placeTimer);
    this.placeTimer = setTimeout(() => this.page === "search" && this.rememberPlace(), 200);
    if (this.timeline.months.length) this.update();
  }

  title() {
    const { words, address } = this;
    document.title = address.q ? `${address.q.slice(0, 60)} · ${words.say("title")}` : `${words.say("title")} ${words.say("subtitle")}`;
  }

  // -- what is known ------------------------------------------------------------------------------------------------

  async refreshInfo() {
    const [info, run] = await Promise.all([this.service.ask("index").catch(() => null), this.service.ask("index/progress").catch(() => null)]);
    this.info = info; // where there is none, the search says what is wrong
    this.job = run?.is_running ? run : null;
    this.update();
    this.listing.follow();
  }

  // The names of pictures that are asked with.
  async learnAsked() {
    this.facets.learn();
    const ids = this.address.pictures.filter((one) => one.role !== "up").map((one) => Number(one.name)).filter((id) => !this.details.has(id));
    await Promise.all(ids.map(async (id) => {
      const detail = await this.service.ask(`images/${id}`, { keep: true }).catch(() => null);
      if (detail) this.details.set(id, detail);
    }));
    if (ids.length) this.update();
  }

  known(id) {
    return this.details.get(id) ?? this.picture.details.get(id) ?? null;
  }

  // -- pictures ----------------------------------------------------------------------------------------------------

  open(place) {
    this.opening.open(place);
  }

  more(hit) {
    this.go(withPicture(this.typed(), { role: "like", name: String(hit.id) }));
  }

  less(hit) {
    this.go(withPicture(this.typed(), { role: "less", name: String(hit.id) }));
  }

  favour(hit) {
    this.boards.favour(hit.id);
  }

  pick(place, isRange) {
    this.selection.pick(this.results, place, isRange);
  }

  pickHit(hit) {
    this.selection.toggle(hit);
    this.picture.draw();
  }

  // -- words -------------------------------------------------------------------------------------------------------

  speak(lang, { keepsAddress = false } = {}) {
    this.words = new Words(lang, this.options.labels[lang]);
    this.service.lang = lang;
    document.documentElement.lang = this.words.sentences.html_lang;
    this.listing.forget();
    if (!keepsAddress) {
      this.address = { ...this.address, lang };
      if (this.page === "search") history.replaceState(history.state, "", write(this.address));
    }
    this.title();
    this.options.onSpeak(lang);
    if (this.page !== "search") {
      this.update();
      return;
    }
    this.boards.load();
    this.listing.search();
  }

  turnTo(page) {
    if (page === this.page) return;
    this.picture.dismiss();
    this.options.onPage(page, { lang: this.words.lang, library: this.service.library });
  }

  // The script shows another page: the pictures stay as they are, behind it.
  turned(page) {
    this.page = page;
    this.host.dataset.page = document.documentElement.dataset.xuntuPage = page;
    if (page === "search") {
      this.address = parse(location.search);
      this.draw();
      if (!this.started) this.begin();
      else if (!this.results || listed(this.results.address) !== listed(this.address)) this.listing.search();
    }
    this.title();
    this.update();
  }

  turnTheme() {
    this.theme.turn();
    this.tell("theme", { now: this.words.name("themes", this.theme.chosen) });
  }

  complain(sentence) {
    this.complaint = sentence;
    this.update();
  }

  tell(name, values) {
    this.told = this.words.say(name, values);
    clearTimeout(this.toldTimer);
    this.toldTimer = setTimeout(() => { this.told = ""; this.update(); }, TOLD_MS);
    this.update();
  }

  togglePanel() {
    this.panelOpen = !this.panelOpen;
    if (!this.narrow) localStorage.setItem("xuntu-panel", this.panelOpen ? "open" : "closed");
    this.update();
    this.facets.count();
  }

  onKey(event) {
    if (this.page !== "search") return;
    if (this.picture.isOpen) {
      this.picture.onKey(event);
      return;
    }
    const typing = event.composedPath()[0].matches?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.box.focus();
      this.box.select();
    } else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey) && !typing && this.results?.length) {
      event.preventDefault();
      this.selection.all(this.results);
    } else if (event.key === "Escape" && this.marquee.drag) this.marquee.cancel();
    else if (event.key === "Escape" && this.selection.size && !typing) this.selection.clear();
  }

  inert(on) {
    this.body.inert = on;
    this.scroller.inert = on;
  }

  barHeight() {
    return this.root.querySelector(".sticky")?.offsetHeight ?? 0;
  }

  get state() {
    const { error, results, info, address } = this;
    if (error) return error.code === "no_index" ? "empty" : "error";
    if (!results) return "waiting";
    if (!results.length) return info?.pictures === 0 ? "empty" : "nothing";
    if (results.noneLikely || !results.total) return "nearest";
    return results.asked ? "results" : address.board ? "board" : "library";
  }

  // -- drawing -----------------------------------------------------------------------------------------------------

  update() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { page, results, error, busy } = this;
    const shown = page !== "search" ? nothing : html`
      <div class="sticky" role="region" aria-label=${this.words.say("search_label")}>${searchBox(this)}${row(this)}</div>
      <div class="middle ${this.panelOpen ? "with-panel" : ""} ${this.timeline.shown ? "with-timeline" : ""}">
        ${panel(this)}
        <main class=${busy ? "busy" : ""} data-state=${this.state} aria-busy=${String(busy || (!results && !error))}>
          ${this.map.view()}${this.map.isShown ? nothing : html`${states.welcome(this)}${this.boards.head()}`}
          ${error ? states.failed(this) : this.state === "empty" ? states.empty(this) : this.state === "nothing" ? states.nothingFound(this) : this.map.isShown ? nothing : states.line(this)}
          <div class="pictures" ?hidden=${Boolean(error) || !results?.length || this.map.isShown}>${this.grid.element}${states.end(this)}</div>
          ${!results && !error ? html`<div class="waiting" aria-hidden="true">${[15, 10, 13, 15, 8, 14, 12, 15, 9, 14, 13, 10].map((grow) => html`<i style="flex-grow:${grow}"></i>`)}</div>` : nothing}
        </main>
      </div>`;
    render(html`<div class="progress" ?hidden=${!busy}></div>${header(this)}${shown}`, this.scroller);
    render(html`${this.scroller}${states.banner(this)}${page === "search" ? this.selection.view() : nothing}${page === "search" ? this.timeline.view() : nothing}
      ${this.given.view()}${tourOf(this)}`, this.body);
    document.documentElement.lang = this.words.sentences.html_lang;
    this.map.follow();
    this.weights.refocus(this.root);
  }
}
