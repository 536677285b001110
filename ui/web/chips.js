// What is asked, as chips: words, pictures, conditions, each with what can be undone.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { but } from "./address.js";
import { icon } from "./parts.js";
import { SWATCHES } from "./colours.js";
import { fileName } from "./words.js";

const factor = (weight) => `×${weight === 0.5 ? "½" : weight}`;

function weights(app, current, all, set) {
  return html`<button type="button" class="weight" title=${app.words.say("weight_hint")} aria-label=${app.words.say("weight", { weight: factor(current) })}
    @click=${() => set(all[(all.indexOf(current) + 1) % all.length] ?? 1)}>${factor(current)}</button>`;
}

const remove = (app, label, to) => html`<button type="button" class="gone" title=${app.words.say("remove", { what: label })}
  aria-label=${app.words.say("remove", { what: label })} @click=${() => app.go(to(app.typed()))}>${icon("x")}</button>`;

// The text of an address without a term of it, or with another in its place.
const replaced = (q, [start, end], words) => [...q].slice(0, start).join("") + words + [...q].slice(end).join("");
const tidy = (q) => q.split(/\s+/).join(" ").trim();

function written(text, weight) {
  const quoted = /\s/.test(text) ? `"${text}"` : text;
  if (weight === 1) return text;
  return weight < 0 ? `-${weight === -0.5 || weight === -1 ? "" : `${-weight}:`}${quoted}` : `${weight}:${quoted}`;
}

function textChips(app, all) {
  const { answer, address, words } = app;
  return (answer?.clauses ?? []).filter((one) => one.text !== null && one.at).map((one) => {
    const rewrite = (text) => app.go(but(address, { q: tidy(replaced(address.q, one.at, text)) }), { setsBox: true });
    if (one.negation) {
      return html`<span class="chip away">${icon("minus")}<span class="words">${words.say("without", { what: one.text })}</span>
        <button type="button" class="gone" title=${words.say("read_literally")} aria-label=${words.say("read_literally")}
          @click=${() => app.go(but(address, { literal: true }))}>${icon("x")}</button></span>`;
    }
    const told = (one.spans ?? []).filter((span) => span.kind !== "scene");
    const away = one.weight < 0;
    return html`<span class="chip ${away ? "away" : ""}">${away ? icon("minus") : nothing}<span class="words">${one.text}</span>
      ${away ? nothing : weights(app, one.weight, all, (weight) => rewrite(written(one.text, weight)))}
      <button type="button" class="gone" title=${words.say("remove", { what: one.text })} aria-label=${words.say("remove", { what: one.text })}
        @click=${() => rewrite("")}>${icon("x")}</button></span>
      ${told.map((span) => spanChip(app, span))}`;
  });
}

// How a piece of a text was read, which can be undone; a date or a place can be made a condition.
function spanChip(app, span) {
  const { address, words } = app;
  const only = { date: { from: span.taken_from ?? "", to: span.taken_to ?? "" }, place: { place: span.said }, video: { kind: "video" } }[span.kind];
  const isNew = only && Object.entries(only).some(([name, value]) => address[name] !== value);
  return html`<span class="chip read"><span class="kind">${words.name("kinds", span.kind)}</span><span class="words">${span.said}</span>
    ${isNew ? html`<button type="button" class="only" @click=${() => app.go(but(app.typed(), only))}>${words.say("only")}</button>` : nothing}
    <button type="button" class="gone" title=${words.say("read_plainly")} aria-label=${words.say("read_plainly")}
      @click=${() => app.go(but(app.typed(), { plain: [...address.plain, span.said] }))}>${icon("x")}</button></span>`;
}

function pictureChip(app, one, all) {
  const { words, address } = app;
  const detail = one.role === "up" ? null : app.known(Number(one.name));
  const label = one.role === "up" ? words.say("your_picture") : detail ? fileName(detail.path) : `#${one.name}`;
  const name = one.crop ? words.say("part_of", { name: label }) : label;
  const src = one.role === "up" ? app.service.url(`uploads/${one.name}/thumbnail`) : app.service.url(`images/${one.name}/thumbnail?size=160&part=0`);
  const set = (weight) => app.go(but(app.typed(), { pictures: address.pictures.map((other) => (other === one ? { ...one, weight } : other)) }));
  return html`<span class="chip has-picture ${one.role === "less" ? "away" : ""}" title=${name}>
    ${one.crop && detail ? cutOut(src, one.crop, detail) : html`<img src=${src} alt="" @error=${(event) => event.target.classList.add("hidden")}>`}
    ${icon(one.role === "less" ? "minus" : "plus")}<span class="words">${name}</span>
    ${weights(app, one.weight, all, set)}
    ${remove(app, name, (typed) => but(typed, { pictures: typed.pictures.filter((other) => other.name !== one.name || other.role !== one.role || String(other.crop?.x) !== String(one.crop?.x)) }))}</span>`;
}

// A part of a picture, through a window that the whole lies behind. Of a very wide or high part the middle is seen.
function cutOut(src, crop, whole) {
  const ratio = Math.min(2.2, Math.max(0.6, crop.width / crop.height));
  const [width, height] = [Math.min(crop.width, crop.height * ratio), Math.min(crop.height, crop.width / ratio)];
  const [left, top] = [crop.x + (crop.width - width) / 2, crop.y + (crop.height - height) / 2];
  return html`<span class="cut-out" style="aspect-ratio:${ratio}"><img src=${src} alt=""
    style="width:${(100 * whole.width) / width}%;height:${(100 * whole.height) / height}%;left:${(-100 * left) / width}%;top:${(-100 * top) / height}%"></span>`;
}

function conditionChips(app) {
  const { address, words } = app;
  const found = [];
  const add = (label, changes, colour = null) => label && found.push({ label, changes, colour });
  add(address.board && words.say("in_board", { name: app.boards.nameOf(address.board) }), () => ({ board: "" }));
  add(address.bounds && words.say("on_map"), () => ({ bounds: "" }));
  add(address.folder, () => ({ folder: "" }));
  add(address.from && words.say("since", { day: words.moment(address.from) }), () => ({ from: "" }));
  add(address.to && words.say("until", { day: words.moment(address.to) }), () => ({ to: "" }));
  add(address.place, () => ({ place: "" }));
  add(address.kind && words.name("media", address.kind), () => ({ kind: "" }));
  add(address.shape && words.name("shapes", address.shape), () => ({ shape: "" }));
  add(address.width && words.say("at_least", { n: address.width }), () => ({ width: 0 }));
  address.formats.forEach((one) => add(one.toUpperCase(), (typed) => ({ formats: typed.formats.filter((other) => other !== one) })));
  address.colours.forEach((one) => add(words.name("colours", one), (typed) => ({ colours: typed.colours.filter((other) => other !== one) }), SWATCHES[one]));
  address.fields.forEach(([name, value]) => add(app.facets.labelOf(name, value), (typed) => ({ fields: typed.fields.filter(([field, other]) => field !== name || other !== value) })));
  add(address.hide_duplicates && words.say("hide_duplicates"), () => ({ hide_duplicates: false }));
  add(address.literal && words.say("literal"), () => ({ literal: false }));
  address.plain.forEach((one) => add(words.say("plain", { what: one }), (typed) => ({ plain: typed.plain.filter((other) => other !== one) })));
  add(address.min_relevance && words.say("sure", { n: Math.round(100 * address.min_relevance) }), () => ({ min_relevance: null }));
  return found.map(({ label, changes, colour }) => html`<span class="chip filter">
    ${colour ? html`<i class="dot" style="background:${colour}"></i>` : nothing}<span class="words">${label}</span>
    ${remove(app, label, (typed) => but(typed, changes(typed)))}</span>`);
}

export function chips(app, all) {
  return [...textChips(app, all), ...app.address.pictures.map((one) => pictureChip(app, one, all)), ...conditionChips(app)];
}
