// What is asked, as chips: words, pictures, conditions, each with what can be undone.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { but } from "./address.js";
import { icon } from "./parts.js";
import { SWATCHES } from "./colours.js";
import { Terms } from "./terms.js";
import { fileName } from "./words.js";

const remove = (app, label, to) => html`<button type="button" class="gone" title=${app.words.say("remove", { what: label })}
  aria-label=${app.words.say("remove", { what: label })} @click=${() => app.go(to(app.typed()))}>${icon("x")}</button>`;

// Another weight for a part of the text, 0 for none. What was typed and not sent yet is sent along.
function reweigh(app, terms, term, weight) {
  const next = terms.weighed(term, weight), typed = app.box.value.trim();
  if (typed.startsWith(terms.q)) app.terms = next;
  app.go(but(app.address, { q: terms.inTyped(typed, term, next) }), { setsBox: true });
}

// The terms of what is shown; after a change, as they will be once it is answered.
function termsOf(app) {
  if (!app.results?.answer) return null;
  if (app.termsOf !== app.results) Object.assign(app, { termsOf: app.results, terms: new Terms(app.results.address.q, app.answer.clauses) });
  return app.terms;
}

function textChips(app) {
  const { address, words } = app, terms = termsOf(app);
  return (terms?.list ?? []).map((one) => {
    const key = `text:${one.text}`, away = app.weights.of(key, one.weight) < 0;
    const weights = app.weights.button(key, one.weight, (weight) => reweigh(app, terms, one, weight));
    const label = one.negation ? words.say("read_literally") : words.say("remove", { what: one.text });
    const gone = () => (one.negation ? app.go(but(app.typed(), { literal: true })) : reweigh(app, terms, one, 0));
    const told = one.negation ? [] : (one.spans ?? []).filter((span) => span.kind !== "scene");
    return html`<span class="chip ${away ? "away" : ""}">${away ? icon("minus") : nothing}<span class="words">${one.negation && away ? words.say("without", { what: one.text }) : one.text}</span>
      ${weights}
      <button type="button" class="gone" title=${label} aria-label=${label} @click=${gone}>${icon("x")}</button></span>
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

function pictureChip(app, one) {
  const { words, address } = app;
  const detail = one.role === "up" ? null : app.known(Number(one.name));
  const label = one.role === "up" ? words.say("your_picture") : detail ? fileName(detail.path) : `#${one.name}`;
  const name = one.crop ? words.say("part_of", { name: label }) : label;
  const src = one.role === "up" ? app.service.url(`uploads/${one.name}/thumbnail`) : app.service.url(`images/${one.name}/thumbnail?size=160&part=0`);
  const own = one.role === "less" ? -one.weight : one.weight, key = `${one.role === "up" ? "up" : "like"}:${name}`, away = app.weights.of(key, own) < 0;
  const set = (weight) => {
    const changed = one.role === "up" ? { ...one, weight } : { ...one, role: weight < 0 ? "less" : "like", weight: Math.abs(weight) };
    app.go(but(app.typed(), { pictures: address.pictures.map((other) => (other === one ? changed : other)) }));
  };
  return html`<span class="chip has-picture ${away ? "away" : ""}" title=${name}>
    ${one.crop && detail ? cutOut(src, one.crop, detail) : html`<img src=${src} alt="" @error=${(event) => event.target.classList.add("hidden")}>`}
    ${icon(away ? "minus" : "plus")}<span class="words">${name}</span>
    ${app.weights.button(key, own, set)}
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
  const add = (label, changes, more = {}) => label && found.push({ label, changes, ...more });
  add(address.board && words.say("in_board", { name: app.boards.nameOf(address.board) }), () => ({ board: "" }));
  add(address.bounds && words.say("on_map"), () => ({ bounds: "" }));
  add(address.folder, () => ({ folder: "" }));
  add(address.from && words.say("since", { day: words.moment(address.from) }), () => ({ from: "" }));
  add(address.to && words.say("until", { day: words.moment(address.to) }), () => ({ to: "" }));
  add(words.place(address.place), () => ({ place: "" }));
  add(address.kind && words.name("media", address.kind), () => ({ kind: "" }));
  add(address.shape && words.name("shapes", address.shape), () => ({ shape: "" }));
  add(address.width && words.say("at_least", { n: address.width }), () => ({ width: 0 }));
  address.formats.forEach((one) => add(one.toUpperCase(), (typed) => ({ formats: typed.formats.filter((other) => other !== one) })));
  address.colours.forEach((one) => add(words.name("colours", one), (typed) => ({ colours: typed.colours.filter((other) => other !== one) }), { colour: SWATCHES[one] }));
  address.fields.forEach(([name, value]) => add(app.facets.labelOf(name, value), (typed) => ({ fields: typed.fields.filter(([field, other]) => field !== name || other !== value) }), { kind: app.facets.nameOf(name) }));
  add(address.hide_duplicates && words.say("hide_duplicates"), () => ({ hide_duplicates: false }));
  add(address.literal && words.say("literal"), () => ({ literal: false }));
  address.plain.forEach((one) => add(words.say("plain", { what: one }), (typed) => ({ plain: typed.plain.filter((other) => other !== one) })));
  add(address.min_relevance && words.say("sure", { n: Math.round(100 * address.min_relevance) }), () => ({ min_relevance: null }));
  return found.map(({ label, changes, colour, kind }) => html`<span class="chip filter">
    ${kind ? html`<span class="kind">${kind}</span>` : nothing}${colour ? html`<i class="dot" style="background:${colour}"></i>` : nothing}<span class="words">${label}</span>
    ${remove(app, label, (typed) => but(typed, changes(typed)))}</span>`);
}

export function chips(app) {
  return [...textChips(app), ...app.address.pictures.map((one) => pictureChip(app, one)), ...conditionChips(app)];
}
