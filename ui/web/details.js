// What is known of an open picture, and what can be done with it.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BLANK, asks, but } from "./address.js";
import { SWATCHES } from "./colours.js";
import { copies } from "./copies.js";
import { SHOWN_BY_BROWSERS, copyText, icon } from "./parts.js";
import { grip } from "./sheet.js";
import { clock, fileName } from "./words.js";
import { ratioOf } from "./layout.js";
import { copyPicture } from "./uploads.js";

const MOST_MOMENTS = 24;

// What is said of a picture, leading to all that share it.
function leading(app, said, changes) {
  const to = { ...BLANK, lang: app.address.lang, ...changes };
  return html`<a href=${app.hrefOf(to)} @click=${app.following(() => app.go(to, { setsBox: true }))}>${said}</a>`;
}

function dayOf(app, detail) {
  const said = app.words.moment(detail.taken_at ?? detail.modified_at), day = detail.taken_at?.slice(0, 10);
  return day ? leading(app, said, { from: day, to: day }) : said;
}

function placeOf(app, detail) {
  if (!detail.place) return detail.has_gps ? app.words.say("has_gps") : "";
  return detail.place.split(", ").map((part, number) => html`${number ? ", " : ""}${leading(app, part, { place: part })}`);
}

function facts(app, detail) {
  const { words } = app;
  const dated = { name: "taken_by_name", file: "modified" }[detail.dated] ?? "taken";
  const pixels = `${words.number(detail.width)} × ${words.number(detail.height)}`;
  const mega = (detail.width * detail.height) / 1e6;
  const value = (said) => (said === true ? words.say("yes") : Array.isArray(said) ? said.join(", ") : String(said));
  const found = [
    [words.say(dated), dayOf(app, detail)],
    [words.say("place"), placeOf(app, detail)],
    [words.say("camera"), detail.camera && leading(app, detail.camera, { fields: [["camera", detail.camera]] })],
    [words.say("dimensions"), mega >= 0.1 ? `${pixels} · ${mega.toFixed(1)} MP` : pixels],
    [words.say("duration"), detail.duration == null ? "" : clock(detail.duration)],
    [words.say("file"), `${detail.format.toUpperCase()} · ${words.size(detail.bytes)}`],
    ...detail.details.filter((one) => one.name !== "ocr").map((one) => [one.label, value(one.value)]),
  ].filter(([, said]) => said);
  return html`<dl>${found.map(([label, said]) => html`<dt>${label}</dt><dd>${said}</dd>`)}</dl>`;
}

function reasons(picture, hit) {
  const { words } = picture.app;
  const when = (one) => (one.at == null ? nothing : html`<button type="button" class="link" aria-label=${words.say("play_from", { time: clock(one.at) })} @click=${() => picture.seek(one.at)}>${clock(one.at)}</button> `);
  const said = (one) => (one.field === "picture" ? words.say("looks_like") : one.field === "kind" ? words.say("is_video") : one.field === "taken" ? words.moment(one.text) : one.text);
  return hit.reasons?.length ? html`<section class="reasons"><h3>${words.say("found_by")}</h3>
    <dl>${hit.reasons.map((one) => html`<dt>${words.name("found_in", one.field)}</dt><dd>${when(one)}${said(one)}</dd>`)}</dl></section>` : nothing;
}

function palette(app, detail) {
  const { words } = app;
  if (!detail.colours.length) return nothing;
  return html`<div class="palette" role="group" aria-label=${words.say("palette")}>${detail.colours.map((one) => {
    const label = `${words.name("colours", one.name)} ${words.percent(one.share)}`;
    const style = `flex-grow:${Math.max(0.02, one.share)};background:${one.hex}`;
    return one.name in SWATCHES
      ? html`<a href=${app.hrefOf(but(app.address, { colours: [one.name] }))} style=${style} title=${label} aria-label=${label} @click=${app.following(() => app.go(but(app.address, { colours: [one.name] })))}></a>`
      : html`<span style=${style} title=${label}></span>`;
  })}</div>`;
}

function deeds(picture, hit, detail) {
  const { app } = picture, { words } = app;
  const deed = (name, label, iconName, act) => html`<button type="button" class="button" data-deed=${name} @click=${act}>${icon(iconName)}<span>${label}</span></button>`;
  const copied = (text) => async (event) => {
    const words_ = event.currentTarget.querySelector("span"), before = words_.textContent;
    await copyText(text);
    words_.textContent = words.say("copied");
    setTimeout(() => { words_.textContent = before; }, 1600);
  };
  const path = detail.url ?? `${detail.root.replace(/\/$/, "")}/${detail.path}`;
  return html`<div class="deeds">
    ${deed("more", words.say("more_like"), "plus", () => app.more(hit))}
    ${asks(app.address) ? deed("less", words.say("less_like"), "minus", () => app.less(hit)) : nothing}
    ${detail.kind === "video" ? nothing : deed("crop", words.say("crop"), "crop", () => picture.startCrop())}
    ${detail.clip ? deed("clip", words.say("play_clip"), "play", () => picture.playClip()) : nothing}
    ${deed("copy-path", words.say("copy_path"), "clipboard", copied(path))}
    ${detail.kind === "video" || !window.ClipboardItem ? nothing : deed("copy-picture", words.say("copy_picture"), "copy", () => copyPicture(app, hit, detail))}
    ${original(app, hit, detail)}
    ${app.boards.addButton([hit.id], { iconOnly: false })}
  </div>`;
}

// What opens the original where a browser shows it, else saves it; in either case it can be dragged out.
function original(app, hit, detail) {
  const { words } = app, isShown = SHOWN_BY_BROWSERS.has(detail.format), url = app.service.url(`images/${hit.id}/file`);
  return html`<a class="button" data-drag=${hit.id} data-name=${fileName(hit.path)} title=${words.say(isShown ? "original_drag" : "download_drag")} href=${isShown ? `${url}?inline=true` : url}
    target=${isShown ? "_blank" : nothing} rel="noopener noreferrer">${icon(isShown ? "external-link" : "download")}<span>${words.say(isShown ? "original" : "download")}</span></a>`;
}

function strip(picture, hit) {
  const { app } = picture, { words } = app, near = picture.near.get(hit.id);
  if (!near?.length) return nothing;
  const all = { ...BLANK, lang: app.address.lang, pictures: [{ role: "like", name: String(hit.id), crop: null, weight: 1 }] };
  return html`<section class="strip"><h3>${words.say("similar")}<a href=${app.hrefOf(all)} @click=${app.following(() => app.go(all, { setsBox: true }))}>${words.say("all_similar")}</a></h3>
    <ul role="list">${near.map((one) => html`<li><a href=${app.hrefOf({ id: one.id })} data-drag=${one.id} data-name=${fileName(one.path)} style="aspect-ratio:${Math.min(2, Math.max(0.6, ratioOf(one)))}"
      title=${fileName(one.path)} aria-label=${words.say("open_picture", { name: fileName(one.path) })} @click=${app.following(() => app.opening.openAmong(near, one))}>
      <img src=${app.service.thumbnail(one, 400)} alt="" loading="lazy"></a></li>`)}</ul></section>`;
}

function moments(picture, hit, detail) {
  if (detail.kind !== "video" || detail.parts.length < 2) return nothing;
  const { app } = picture, step = Math.ceil(detail.parts.length / MOST_MOMENTS);
  const shown = detail.parts.filter((_, place) => place % step === 0);
  return html`<section class="strip moments"><h3>${app.words.say("moments")}</h3><ul role="list">${shown.map((one) => html`<li>
    <button type="button" aria-label=${app.words.say("play_from", { time: clock(one.at) })} @click=${() => picture.seek(one.at)}>
      <img src=${app.service.url(`images/${hit.id}/thumbnail?size=400&part=${one.number}&v=${hit.fields?.modified ?? ""}`)} alt="" loading="lazy"><span class="time">${clock(one.at)}</span></button></li>`)}</ul></section>`;
}

function folder(app, detail) {
  const path = detail.path.slice(0, detail.path.lastIndexOf("/") + 1);
  if (!path || path.startsWith("…")) return html`<p class="folder">${detail.root}</p>`;
  const to = but(app.address, { folder: path });
  return html`<p class="folder"><a href=${app.hrefOf(to)} @click=${app.following(() => app.go(to))}>${icon("folder")}${path}</a></p>`;
}

export function details(picture) {
  const { app, hit, sorry } = picture, { words } = app, detail = picture.details.get(hit.id);
  const tag = (one) => ({ ...BLANK, lang: app.address.lang, q: one, match: "text" });
  const name = fileName(hit.path);
  return html`<aside class="about" aria-label=${words.say("about")}>${grip(words.say("close"), () => picture.togglePanel())}
    <h2 title=${hit.path}>${name}</h2>
    ${sorry?.id === hit.id && !detail ? html`<p class="sorry" role="alert">${sorry.error.message}</p>${sorry.error.requestId ? html`<p class="quiet">${words.say("request_id", { id: sorry.error.requestId })}</p>` : nothing}` : nothing}
    ${detail ? html`${folder(app, detail)}${reasons(picture, hit)}
      ${detail.caption ? html`<p class="caption">${detail.caption}</p>` : nothing}
      ${detail.tags.length ? html`<ul class="tags" role="list" aria-label=${words.say("tags")}>${detail.tags.map((one) => html`<li><a href=${app.hrefOf(tag(one))} @click=${app.following(() => app.go(tag(one), { setsBox: true }))}>${one}</a></li>`)}</ul>` : nothing}
      ${app.boards.ofPicture(hit.id)}${deeds(picture, hit, detail)}${facts(app, detail)}${palette(app, detail)}${moments(picture, hit, detail)}${picture.reading.section(hit, detail)}` : nothing}
    ${copies(picture, hit)}${strip(picture, hit)}
  </aside>`;
}
