// The text that was read in an open picture: over it, line by line, to be selected and copied, and beside it.
import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { button, copyText } from "./parts.js";
import { clock } from "./words.js";

const SHARE = 0.8; // of the height of a line, that its letters have
const UPRIGHT = 1.5; // times as high as wide: a line that is written from the top to the bottom

const pen = document.createElement("canvas").getContext("2d");

// How a line of text is laid over where it stands, in pixels of the picture.
export function layLine({ text, corners: [first, second, , last] }, font) {
  const across = Math.max(1, Math.hypot(second[0] - first[0], second[1] - first[1]));
  const down = Math.max(1, Math.hypot(last[0] - first[0], last[1] - first[1]));
  const upright = down > UPRIGHT * across && text.length > 1;
  const [long, high] = upright ? [down, across] : [across, down];
  pen.font = `100px ${font}`;
  const stretch = long / Math.max(1, (pen.measureText(text).width / 100) * SHARE * high);
  const angle = Math.atan2(second[1] - first[1], second[0] - first[0]);
  return { left: first[0], top: first[1], width: across, height: down, angle, upright, size: SHARE * high, stretch };
}

export class Reading {
  constructor(picture) {
    Object.assign(this, { picture, on: false, texts: new Map() });
  }

  has(hit) {
    const detail = this.picture.details.get(hit?.id);
    return Boolean(detail?.annotations.ocr) && detail.kind !== "video";
  }

  toggle() {
    this.on = !this.on;
    this.follow();
  }

  // What is shown has changed, or what is known of it.
  follow() {
    const { hit, pswp } = this.picture;
    this.picture.draw();
    this.show();
    if (this.on && this.has(hit) && !this.texts.has(hit.id)) this.learn(hit).then(() => pswp === this.picture.pswp && this.show());
  }

  async learn(hit) {
    const { app, keep } = this.picture;
    try {
      keep(this.texts, hit.id, (await app.service.ask(`images/${hit.id}/text`, { keep: true })).lines);
    } catch (error) {
      app.complain(error.message);
    }
  }

  show() {
    const { pswp, app } = this.picture;
    for (const { slide } of pswp?.mainScroll.itemHolders ?? []) {
      const lines = this.on && slide === pswp.currSlide && this.texts.get(slide.data.hit?.id);
      if (!slide?.textLayer && !lines) continue;
      slide.textLayer ??= this.makeLayer(slide);
      const font = lines && getComputedStyle(app.host).fontFamily;
      render(lines ? lines.map((line) => this.line(line, font)) : nothing, slide.textLayer);
      this.fit(slide);
    }
  }

  makeLayer(slide) {
    const layer = Object.assign(document.createElement("div"), { className: "text-layer" });
    layer.setAttribute("role", "group");
    layer.setAttribute("aria-label", this.picture.app.words.name("found_in", "ocr"));
    layer.addEventListener("pointerdown", (event) => { // a mouse selects; fingers go on to turn and zoom, and select when they stay
      if (event.pointerType === "mouse" && event.target !== layer) event.stopPropagation();
    });
    slide.container.append(layer);
    return layer;
  }

  line(line, font) {
    const laid = layLine(line, font);
    const at = `left:${laid.left}px;top:${laid.top}px;width:${laid.width}px;height:${laid.height}px;rotate:${laid.angle}rad;font-size:${laid.size}px;line-height:${laid.upright ? laid.width : laid.height}px`;
    return html`<div class="read-line ${laid.upright ? "upright" : ""}" style=${at}><span style="transform:scale${laid.upright ? "Y" : "X"}(${laid.stretch})">${line.text}</span></div><br role="presentation">`;
  }

  // The layer has the size of the picture itself, and is scaled to that in which it is shown.
  fit(slide) {
    if (!slide?.textLayer) return;
    const { hit } = slide.data;
    Object.assign(slide.textLayer.style, { width: `${hit.width}px`, height: `${hit.height}px`, transform: `scale(${slide.content.displayedImageWidth / hit.width})` });
  }

  selectAll() {
    const layer = this.picture.pswp.currSlide.textLayer;
    if (!layer) return;
    (this.picture.app.root.getSelection?.() ?? getSelection()).selectAllChildren(layer);
  }

  async copy() {
    const { hit, details, app } = this.picture;
    await copyText(details.get(hit.id).annotations.ocr);
    app.tell("copied");
  }

  switch() {
    const { hit, app } = this.picture;
    return this.has(hit) ? button(app.words.say("show_text"), "scan-text", () => this.toggle(), { iconOnly: true, pressed: this.on }) : nothing;
  }

  // Below the picture, while its text is shown.
  bar() {
    const { hit, app, details } = this.picture, { words } = app;
    if (!this.on || !this.has(hit)) return nothing;
    const count = details.get(hit.id).annotations.ocr.split("\n").length;
    return html`<div class="reading-bar" role="toolbar" aria-label=${words.say("show_text")}><span>${words.say("lines_read", { n: count })}</span>
      ${button(words.say("copy_text"), "copy", () => this.copy())}${button(words.say("hide_text"), "x", () => this.toggle(), { iconOnly: true })}</div>`;
  }

  // In the panel; of a film, what is read when.
  section(hit, detail) {
    const { app } = this.picture, { words } = app, lines = this.texts.get(hit.id);
    if (!detail.annotations.ocr) return nothing;
    const said = detail.kind === "video" && lines
      ? html`<ul role="list">${lines.map((one) => html`<li><button type="button" aria-label=${`${words.say("play_from", { time: clock(one.at) })}: ${one.text}`} @click=${() => this.picture.seek(one.at)}><span class="at">${clock(one.at)}</span>${one.text}</button></li>`)}</ul>`
      : html`<p tabindex="0" role="group" aria-label=${words.name("found_in", "ocr")}>${detail.annotations.ocr}</p>`;
    return html`<section class="read"><h3>${words.name("found_in", "ocr")}<button type="button" class="link" @click=${() => this.copy()}>${words.say("copy_text")}</button></h3>${said}</section>`;
  }
}
