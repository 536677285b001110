// An open picture: PhotoSwipe shows it and its neighbours, a panel beside it says what is known.
import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import PhotoSwipe from "./vendor/photoswipe/photoswipe.js";
import { but } from "./address.js";
import { asHit } from "./copies.js";
import { CropBox } from "./crop.js";
import { details } from "./details.js";
import { showMarks } from "./marks.js";
import { SHOWN_BY_BROWSERS, button, icon } from "./parts.js";
import { Reading } from "./reading.js";
import { altOf } from "./said.js";
import { takeOriginal } from "./uploads.js";
import { fileName } from "./words.js";

const LARGE = 1600; // pixels of a large picture
const TILE = 400;
const PANEL = 360;
const SHEET = 0.56; // of the window, as in the style sheet
const MOST_ORIGINAL = 80_000_000; // bytes, above which zooming in does not fetch the original
const LONG = 3; // times as long as the short side: such a picture is shown as wide as the window, and scrolled
const SETTLE_MS = 60;
const AHEAD = 24; // pictures whose places in the list are asked for before someone comes to them
const MOST_KNOWN = 300;
const MOST_ZOOM = 4;

export class Picture {
  constructor(app) {
    Object.assign(this, { app, pswp: null, list: null, details: new Map(), near: new Map(), copies: new Map(), allCopies: null, panelOpen: !app.narrow });
    this.reading = new Reading(this);
  }

  get isOpen() {
    return this.pswp !== null;
  }

  get hit() {
    return this.pswp ? this.list.at(this.pswp.currIndex) : null;
  }

  // Opens the picture at a place of a list; `list` has `length`, `at(place)` and `need(from, to)`.
  show(list, place) {
    this.dismiss();
    const { app } = this;
    this.list = list;
    const pswp = new PhotoSwipe({
      index: place, appendToEl: app.root, loop: false, bgOpacity: 1, trapFocus: false, returnFocus: false, showHideAnimationType: "none",
      arrowKeys: false, escKey: false, preload: [1, 3], wheelToZoom: false, arrowPrev: false, arrowNext: false, close: false, zoom: false, counter: false,
      clickToCloseNonZoomable: false, imageClickAction: "zoom", bgClickAction: "close", tapAction: "toggle-controls", maxZoomLevel: MOST_ZOOM,
      initialZoomLevel: (levels) => this.firstZoom(levels), secondaryZoomLevel: (levels) => Math.min(MOST_ZOOM, Math.max(1, 2 * this.firstZoom(levels))),
      paddingFn: (viewport) => this.padding(viewport), errorMsg: app.words.say("no_preview"),
    });
    this.pswp = pswp;
    pswp.addFilter("numItems", () => this.list.length);
    pswp.addFilter("itemData", (data, index) => this.item(index));
    pswp.addFilter("placeholderSrc", (src, content) => content.data.msrc ?? src);
    pswp.on("uiRegister", () => this.register());
    pswp.on("change", () => this.changed());
    pswp.on("contentLoad", (event) => this.load(event));
    pswp.on("contentDeactivate", ({ content }) => content.element?.querySelector?.("video")?.pause());
    pswp.on("initialZoomPan", ({ slide }) => this.toFound(slide));
    pswp.on("zoomPanUpdate", ({ slide }) => this.sharpen(slide));
    pswp.on("contentActivate", ({ content }) => this.playFound(content));
    pswp.on("imageSizeChange", ({ slide, width, height }) => {
      showMarks(slide, width, height, this.app.words);
      this.reading.fit(slide);
    });
    pswp.on("keydown", (event) => event.preventDefault()); // keys are for all of this, from the beginning
    pswp.on("close", () => pswp === this.pswp && this.close()); // by a gesture
    pswp.init();
    app.inert(true);
    pswp.element.setAttribute("aria-label", app.words.say("picture"));
    pswp.element.focus();
    this.draw();
  }

  padding(viewport) {
    const room = viewport.x > 820;
    const sheet = this.panelOpen && !room ? SHEET * viewport.y : 0; // which covers the lower part of a small window
    return { top: room ? 56 : 52, bottom: room ? 20 : sheet + 8, left: room ? 64 : 0, right: (room ? 64 : 0) + (room && this.panelOpen ? PANEL : 0) };
  }

  item(index) {
    const hit = this.list.at(index);
    this.list.need?.(index, Math.min(index + AHEAD, this.list.length - 1));
    if (!hit) return { html: "", width: 100, height: 100 };
    const { service } = this.app;
    const [width, height] = [Math.max(1, hit.width), Math.max(1, hit.height)];
    const detail = this.details.get(hit.id);
    const film = hit.part?.at != null || detail?.kind === "video";
    return {
      id: hit.id, hit, width, height, alt: altOf(this.app.words, hit), msrc: service.thumbnail(hit, TILE, this.isLong(hit) ? 0 : undefined),
      ...(film ? { type: "film" } : { src: service.thumbnail(hit, this.isLong(hit) ? 2048 : LARGE, this.isLong(hit) ? 0 : undefined) }),
    };
  }

  isLong(hit) {
    return Math.max(hit.width, hit.height) > LONG * Math.min(hit.width, hit.height);
  }

  // A long picture is as wide as there is room, and read from where it was found; a small one is not blown up far.
  firstZoom(levels) {
    const { width, height } = levels.itemData;
    if (height > LONG * width) return Math.min(levels.panAreaSize.x / width, 2);
    if (width > LONG * height) return Math.min(levels.panAreaSize.y / height, 1);
    return Math.min(levels.fit * 1, Math.min(levels.panAreaSize.x / width, levels.panAreaSize.y / height), 1.5);
  }

  toFound(slide) {
    const { hit } = slide.data;
    if (!hit || !this.isLong(hit)) return;
    const top = hit.part && !hit.part.region ? hit.part : { x: 0, y: 0 };
    slide.pan.x = slide.bounds.correctPan("x", slide.bounds.min.x - top.x * slide.currZoomLevel);
    slide.pan.y = slide.bounds.correctPan("y", slide.bounds.min.y - top.y * slide.currZoomLevel);
  }

  // Once more is seen than the large picture has, the original is shown.
  sharpen(slide) {
    const { hit } = slide.data, detail = hit && this.details.get(hit.id);
    const image = slide.content.element;
    if (!detail || !(image instanceof HTMLImageElement) || slide.data.sharp) return;
    const shown = Math.min(1, (this.isLong(hit) ? 2048 : LARGE) / Math.max(hit.width, hit.height));
    const wanted = slide.currZoomLevel * devicePixelRatio;
    if (wanted <= shown * 1.15 || !SHOWN_BY_BROWSERS.has(detail.format) || detail.bytes > MOST_ORIGINAL) return;
    slide.data.sharp = true;
    const original = new Image();
    original.src = this.app.service.url(`images/${hit.id}/file`);
    original.decode().then(() => { image.src = original.src; }, () => {});
  }

  load(event) {
    const { content } = event;
    if (content.type !== "film") return;
    event.preventDefault();
    const { hit } = content.data, room = document.createElement("div");
    room.className = "film";
    const video = Object.assign(document.createElement("video"), { controls: true, playsInline: true, preload: "metadata" });
    video.poster = content.data.msrc;
    video.setAttribute("aria-label", fileName(hit.path));
    const at = (this.app.address.id === hit.id && this.app.address.t) || hit.part?.at || 0;
    video.addEventListener("loadedmetadata", () => { video.currentTime = at; content.onLoaded(); }, { once: true });
    video.addEventListener("error", () => {
      const sorry = Object.assign(document.createElement("p"), { className: "unplayed", textContent: this.app.words.say("not_played") });
      sorry.setAttribute("role", "alert");
      room.append(sorry);
      content.onLoaded();
    }, { once: true });
    video.src = this.app.service.url(`images/${hit.id}/file`);
    ["pointerdown", "click"].forEach((kind) => video.addEventListener(kind, (one) => one.stopPropagation()));
    room.append(video);
    content.element = room;
    content.state = "loading";
  }

  // A film that was found at a moment plays from there; one that was come across waits.
  playFound(content) {
    const video = content.element?.querySelector?.("video");
    if (!video || this.app.still || content.data.hit.part?.at == null) return;
    video.play().catch(() => {}); // a browser that was not touched yet may refuse
  }

  seek(seconds) {
    const video = this.pswp.currSlide.content.element?.querySelector?.("video");
    if (!video) return;
    video.currentTime = seconds;
    video.play().catch(() => {});
  }

  // The film that lies beside a live photo, over it until it has ended.
  playClip() {
    this.clip = this.hit.id;
    this.draw();
  }

  register() {
    const { pswp } = this;
    pswp.ui.registerElement({ name: "page", appendTo: "root", html: "", onInit: (element) => {
      this.element = element;
      ["wheel", "pointerdown", "touchstart"].forEach((kind) => element.addEventListener(kind, (event) => event.stopPropagation(), { passive: true }));
    } });
  }

  changed() {
    const { hit } = this;
    if (this.crop) this.stopCrop();
    this.clip = null;
    this.draw();
    if (!hit) {
      this.list.need?.(this.pswp.currIndex, this.pswp.currIndex);
      return;
    }
    this.app.opening.turned(hit);
    this.reading.follow();
    this.app.boards.need([hit.id]);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.learn(hit), this.details.has(hit.id) ? 0 : SETTLE_MS);
  }

  // Blocks have come in: pictures that were not there when the person came to them are now.
  refresh() {
    if (!this.pswp) return;
    const { currIndex } = this.pswp;
    for (let place = currIndex - 1; place <= currIndex + 1; place += 1) {
      const slide = this.pswp.mainScroll.itemHolders.find((one) => one.slide?.index === place)?.slide;
      if (slide && !slide.data.id && this.list.at(place)) this.pswp.refreshSlideContent(place);
    }
    if (this.hit && this.app.address.id !== this.hit.id) this.changed();
    else this.draw();
  }

  // Remembers of so many pictures what was asked, and forgets the first of them.
  keep(known, id, value) {
    known.set(id, value);
    if (known.size > MOST_KNOWN) known.delete(known.keys().next().value);
  }

  async learn(hit) {
    try {
      const isNews = !this.details.has(hit.id);
      const detail = await this.describe(hit);
      if (isNews && detail.kind === "video" && hit.part?.at == null && this.hit?.id === hit.id) this.pswp.refreshSlideContent(this.pswp.currIndex);
      if (this.pswp && this.hit?.id === hit.id) this.sharpen(this.pswp.currSlide);
      this.reading.follow();
      await Promise.all([this.findNear(hit), this.findCopies(hit), detail.kind === "video" && detail.annotations.ocr && !this.reading.texts.has(hit.id) && this.reading.learn(hit)]);
      this.draw();
      await Promise.all([-1, 1].map((by) => this.pswp && this.hit?.id === hit.id && this.describe(this.list.at(this.pswp.currIndex + by))));
    } catch (error) {
      if (this.hit?.id !== hit.id) return;
      this.sorry = { id: hit.id, error };
      this.draw();
    }
  }

  async describe(hit) {
    if (hit && !this.details.has(hit.id)) this.keep(this.details, hit.id, await this.app.service.ask(`images/${hit.id}`, { keep: true }));
    return hit && this.details.get(hit.id);
  }

  async findNear(hit) {
    const facts = this.app.service.facts.map((one) => `&fields=${one}`).join("");
    if (!this.near.has(hit.id)) this.keep(this.near, hit.id, (await this.app.service.ask(`images/${hit.id}/similar?k=14${facts}`, { keep: true })).hits);
  }

  async findCopies(hit) {
    if (this.copies.has(hit.id)) return;
    const found = await this.app.service.ask(`images/${hit.id}/copies`, { keep: true });
    this.keep(this.copies, hit.id, { total: found.total, hits: found.copies.map((one) => asHit(one, found.build)) });
  }

  onKey(event) {
    const { pswp, app, hit } = this;
    if (this.crop) {
      this.crop.key(event);
      return;
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a" && this.reading.on) {
      event.preventDefault();
      this.reading.selectAll();
      return;
    }
    const isTyping = event.composedPath()[0].matches?.("input, textarea, video, [contenteditable]");
    if (event.ctrlKey || event.metaKey || event.altKey || (isTyping && event.key !== "Escape")) return;
    const page = 0.8 * pswp.viewportSize.y;
    const deeds = {
      Escape: () => (this.reading.on && this.reading.has(hit) ? this.reading.toggle() : this.close()), ArrowLeft: () => pswp.prev(), ArrowRight: () => pswp.next(), ArrowUp: () => this.pan(80), ArrowDown: () => this.pan(-80),
      PageUp: () => this.pan(page), PageDown: () => this.pan(-page), z: () => pswp.toggleZoom(), "+": () => this.zoom(1.5), "=": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), t: () => this.reading.has(hit) && this.reading.toggle(), i: () => this.togglePanel(), x: () => app.pickHit(hit),
      m: () => app.more(hit), f: () => app.boards.favour(hit.id), d: () => takeOriginal(app, hit),
    };
    if (!deeds[event.key]) return;
    event.preventDefault();
    deeds[event.key]();
  }

  pan(by) {
    const slide = this.pswp.currSlide;
    slide.panTo(slide.pan.x, slide.bounds.correctPan("y", slide.pan.y + by));
  }

  zoom(by) {
    const { currSlide: slide } = this.pswp, { initial } = slide.zoomLevels;
    if (slide.isZoomable()) slide.zoomTo(Math.min(MOST_ZOOM, Math.max(initial, slide.currZoomLevel * by)), undefined, 150);
  }

  togglePanel() {
    this.panelOpen = !this.panelOpen;
    this.draw();
    this.pswp.updateSize(true);
  }

  startCrop() {
    const detail = this.details.get(this.hit.id);
    this.crop = new CropBox(this.app, { hit: this.hit, detail, src: this.app.service.thumbnail(this.hit, LARGE, 0), onDone: (box) => this.searchCrop(box), onStop: () => this.stopCrop() });
    this.draw();
    this.crop.start(this.element.querySelector(".cropping"));
  }

  stopCrop() {
    this.crop = null;
    this.draw();
    this.element.querySelector("[data-deed=crop]")?.focus();
  }

  searchCrop(crop) {
    const { id } = this.hit, { app } = this;
    this.crop = null;
    app.go(but(app.address, { q: "", pictures: [{ role: "like", name: String(id), crop, weight: 1 }], literal: false, plain: [], sort: "" }), { setsBox: true });
  }

  draw() {
    if (!this.element) return;
    const { app, hit, pswp } = this, { words } = app;
    const place = pswp.currIndex;
    const picked = hit && app.selection.has(hit.id);
    render(html`
      <div class="top-bar">
        <button type="button" class="round" aria-label=${words.say("close")} title=${words.say("close")} data-deed="close" @click=${() => this.close()}>${icon("x")}</button>
        <span class="count" aria-live="polite">${words.number(place + 1)} / ${words.number(this.list.length)}</span><span class="space"></span>
        ${hit ? html`${this.reading.switch()}
        ${button(words.say("select"), picked ? "circle-check" : "check", () => app.pickHit(hit), { iconOnly: true, pressed: picked })}
        ${app.boards.heart(hit.id)}
        ${button(words.say("download"), "download", () => takeOriginal(app, hit), { iconOnly: true })}
        ${button(words.say("about"), "info", () => this.togglePanel(), { iconOnly: true, pressed: this.panelOpen })}` : nothing}
      </div>
      ${place > 0 ? html`<button type="button" class="turn previous" aria-label=${words.say("previous_picture")} title=${words.say("previous_picture")} @click=${() => pswp.prev()}>${icon("chevron-left")}</button>` : nothing}
      ${place < this.list.length - 1 ? html`<button type="button" class="turn next ${this.panelOpen ? "beside" : ""}" aria-label=${words.say("next_picture")} title=${words.say("next_picture")} @click=${() => pswp.next()}>${icon("chevron-right")}</button>` : nothing}
      ${hit ? this.reading.bar() : nothing}
      ${hit && this.panelOpen ? details(this) : nothing}
      ${hit && this.clip === hit.id ? html`<video class="clip" controls autoplay playsinline aria-label=${words.say("play_clip")} src=${app.service.url(`images/${hit.id}/file?clip=true`)}
        @ended=${() => { this.clip = null; this.draw(); }} @error=${() => { this.clip = null; app.complain(words.say("not_played")); this.draw(); }}></video>` : nothing}
      ${this.crop ? html`<div class="cropping"></div>` : nothing}`, this.element);
  }

  // Ends as the person says: the address goes back to the list, and the focus to the picture in it.
  close() {
    const { hit, pswp } = this;
    if (!pswp) return;
    const place = pswp.currIndex;
    this.dismiss();
    this.app.opening.closed(hit, place);
  }

  // Ends without telling the address, which has already moved on. One that is still being opened ends once it is.
  dismiss() {
    const { pswp } = this;
    if (!pswp) return;
    clearTimeout(this.timer);
    this.app.opening.ended();
    render(nothing, this.element);
    Object.assign(this, { pswp: null, element: null, crop: null, clip: null });
    this.app.inert(false);
    pswp.element.style.display = "none";
    if (pswp.opener.isOpen) pswp.destroy();
    else pswp.on("openingAnimationEnd", () => pswp.destroy());
  }
}
