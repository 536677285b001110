// What the pictures can be narrowed by, with counts that follow what is already chosen.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BLANK, SHAPE_NAMES, asks, body, but } from "./address.js";
import { SWATCHES } from "./colours.js";
import { icon } from "./parts.js";
import { around, countPlaces, listPlaces } from "./places.js";

const SHOWN = 6; // values of a field, until all are asked for
const MOST = 1_000; // values that the service counts at once
const FIRST = 1_000; // hits that are counted
const OWN = ["path", "taken", "colour", "format", "kind", "place"];
const WIDTHS = [1280, 1920, 2560, 3840];
const SURE = [50, 70, 90];

export class FacetCounts {
  constructor(app) {
    Object.assign(this, { app, counts: null, wide: new Set(), labels: new Map(), folder: "", key: "" });
  }

  labelOf(name, value) {
    return this.labels.get(`${this.app.words.lang} ${name}=${value}`) ?? value;
  }

  // What the fields that are asked for are called, and their fixed values, where nothing has been counted yet.
  async learn() {
    const { app } = this, { lang } = app.words;
    if (!app.address.fields.some(([name]) => !this.labels.has(`${lang} ${name}`))) return;
    const known = await app.service.ask("fields", { keep: true }).catch(() => null);
    known?.fields.forEach((field) => {
      this.labels.set(`${lang} ${field.name}`, field.label);
      Object.entries(field.choices).forEach(([value, label]) => this.labels.set(`${lang} ${field.name}=${value}`, label));
    });
    if (known) app.update();
  }

  nameOf(field) {
    return this.labels.get(`${this.app.words.lang} ${field}`) ?? "";
  }

  // Counts anew where the search or the open folder is another.
  async count() {
    const { app } = this, asked = body({ ...app.address, sort: "" });
    const year = app.address.from.slice(0, 4);
    const by = year && app.address.to.startsWith(year) ? "month" : "year";
    const folder = app.address.folder.replace(/[^/]*$/, "");
    const key = JSON.stringify([asked, by, folder, app.words.lang, app.service.build]);
    if (key === this.key || !app.panelOpen) return;
    this.key = key;
    const request = { ...asked, first: FIRST, by, folder, limit: 60 };
    try {
      // Folders are counted where they are asked for by name. Larger places are added up, so all are wanted.
      const count = (more) => app.service.ask("facets", { method: "POST", body: { ...request, ...more }, keep: true });
      const [counts, paths] = await Promise.all([count({}), count({ fields: ["path"] })]);
      const isCut = counts.facets.some((one) => one.field === "place" && one.values.length === request.limit);
      const places = isCut ? (await count({ fields: ["place"], limit: MOST })).facets : [];
      if (this.key !== key) return;
      this.counts = { ...counts, facets: [...places, ...counts.facets, ...paths.facets] };
      this.counts.facets.forEach((facet) => facet.values.forEach((one) => this.labels.set(`${app.words.lang} ${facet.field}=${one.value}`, one.label)));
    } catch (error) {
      if (this.key === key) this.key = "";
      this.counts ??= { facets: [], total: 0, counted: 0 };
    }
    app.update();
  }

  get(field) {
    return this.counts?.facets.find((one) => one.field === field);
  }
}

const most = (facet) => Math.max(1, ...facet.values.map((one) => one.count));

// A value with its count; chosen, it can be undone.
function value(app, { label, count, share, chosen, changes, dot, kind }) {
  return html`<li class=${kind ?? ""}><button type="button" class="value" aria-pressed=${String(chosen)} @click=${() => app.go(but(app.typed(), changes(app.typed())))}>
    ${dot ? html`<i class="dot" style="background:${dot}"></i>` : nothing}<span class="label" title=${label}>${label}</span>
    ${count === undefined ? nothing : html`<span class="count">${app.words.number(count)}</span><i class="bar" style="width:${Math.round(100 * share)}%"></i>`}</button></li>`;
}

function group(app, title, name, rows, { open = true } = {}) {
  const { wide } = app.facets;
  const shown = wide.has(name) ? rows : rows.slice(0, SHOWN);
  return rows.length === 0 ? nothing : html`<details class="group" ?open=${open}><summary>${title}${icon("chevron-down")}</summary>
    <ul role="list">${shown}</ul>
    ${rows.length > SHOWN ? html`<button type="button" class="all" @click=${() => { wide[wide.has(name) ? "delete" : "add"](name); app.update(); }}>
      ${app.words.say(wide.has(name) ? "fewer" : "all_of_them", { n: rows.length })}</button>` : nothing}</details>`;
}

function dates(app) {
  const { address, words } = app, facet = app.facets.get("taken");
  if (!facet) return nothing;
  const end = (month) => `${month}-${String(new Date(Number(month.slice(0, 4)), Number(month.slice(5)), 0).getDate()).padStart(2, "0")}`;
  const range = (one) => (one.length === 4 ? { from: `${one}-01-01`, to: `${one}-12-31` } : { from: `${one}-01`, to: end(one) });
  const rows = [...facet.values].reverse().map((one) => {
    const chosen = address.from === range(one.value).from && address.to === range(one.value).to;
    const wider = one.value.length > 4 ? range(one.value.slice(0, 4)) : { from: "", to: "" };
    return value(app, { label: words.month(one.value), count: one.count, share: one.count / most(facet), chosen, changes: () => (chosen ? wider : range(one.value)) });
  });
  const day = (label, name) => html`<input type="date" class="field" aria-label=${label} title=${label} .value=${address[name]} min="1800-01-01" max="2999-12-31"
    @change=${(event) => event.target.validity.valid && event.target.value !== address[name] && app.go(but(app.typed(), { [name]: event.target.value }))}>`;
  const back = address.from ? html`<li><button type="button" class="value up" @click=${() => app.go(but(app.typed(), { from: "", to: "" }))}>${icon("chevron-left")}${words.say("all_dates")}</button></li>` : nothing;
  return html`${group(app, words.say("filter_taken"), "taken", [back, ...rows].filter((one) => one !== nothing))}
    <div class="dates">${day(words.say("date_from"), "from")}<span>–</span>${day(words.say("date_to"), "to")}</div>`;
}

function folders(app) {
  const { address, words } = app, facet = app.facets.get("path");
  if (!facet) return nothing;
  const above = address.folder.replace(/\/$/, "").replace(/[^/]*$/, "");
  const rows = facet.values.filter((one) => one.value !== address.folder).map((one) => value(app, {
    label: one.label, count: one.count, share: one.count / most(facet), chosen: false, changes: () => ({ folder: one.value.endsWith("/") ? one.value : `${one.value}/` }), kind: "folder",
  }));
  const here = address.folder ? [
    html`<li><button type="button" class="value up" @click=${() => app.go(but(app.typed(), { folder: above }))}>${icon("chevron-left")}${above || words.say("all_folders")}</button></li>`,
    value(app, { label: address.folder, chosen: true, changes: () => ({ folder: above }) })] : [];
  return group(app, words.say("filter_folder"), "path", [...here, ...rows]);
}

function places(app) {
  const { address, words } = app, facet = app.facets.get("place"), chosen = address.place;
  if (!facet || (facet.values.length < 2 && !chosen)) return nothing;
  const found = listPlaces(facet.values, chosen), largest = Math.max(1, ...found.map(([, count]) => count));
  const rows = found.map(([place, count]) => value(app, { label: words.place(place), count, share: count / largest, chosen: false, changes: () => ({ place }) }));
  const above = around(around(chosen)) ? around(chosen) : "";
  const here = chosen ? [
    html`<li><button type="button" class="value up" @click=${() => app.go(but(app.typed(), { place: above }))}>${icon("chevron-left")}${above ? words.place(above) : words.say("all_places")}</button></li>`,
    value(app, { label: words.place(chosen), count: countPlaces(facet.values).get(chosen), share: 1, chosen: true, changes: () => ({ place: above }) })] : [];
  return group(app, words.say("place"), "place", [...here, ...rows]);
}

const toggled = (values, one) => (values.includes(one) ? values.filter((other) => other !== one) : [...values, one]);

function colours(app) {
  const facet = app.facets.get("colour") ?? app.facets.get("colours"), { address, words } = app;
  const count = new Map(facet?.values.map((one) => [one.value, one.count]));
  return html`<details class="group" open><summary>${words.say("filter_colour")}${icon("chevron-down")}</summary><div class="swatches">
    ${Object.entries(SWATCHES).map(([name, hex]) => html`<button type="button" class="swatch" style="background:${hex}" aria-pressed=${String(address.colours.includes(name))}
      ?disabled=${facet && !count.get(name) && !address.colours.includes(name)} title=${`${words.name("colours", name)} ${count.has(name) ? words.number(count.get(name)) : ""}`}
      aria-label=${words.name("colours", name)} @click=${() => app.go(but(app.typed(), { colours: toggled(app.typed().colours, name) }))}></button>`)}</div></details>`;
}

function others(app) {
  const { address } = app;
  return (app.facets.counts?.facets ?? []).filter((facet) => !OWN.includes(facet.field) && facet.field !== "colours" && facet.values.length).map((facet) => {
    const rows = facet.values.map((one) => {
      const chosen = address.fields.some(([name, said]) => name === facet.field && said === one.value);
      const changes = (typed) => ({ fields: chosen ? typed.fields.filter(([name, said]) => name !== facet.field || said !== one.value) : [...typed.fields, [facet.field, one.value]] });
      return value(app, { label: one.label, count: one.count, share: one.count / most(facet), chosen, changes });
    });
    return group(app, facet.label, facet.field, rows, { open: address.fields.some(([name]) => name === facet.field) || ["camera", "tag", "label"].includes(facet.field) });
  });
}

function single(app, field, name, title, labelOf = (one) => one.label) {
  const facet = app.facets.get(field), { address } = app;
  if (!facet || (facet.values.length < 2 && !address[name].length)) return nothing;
  const isList = Array.isArray(address[name]);
  const rows = facet.values.map((one) => {
    const chosen = isList ? address[name].includes(one.value) : address[name] === one.value;
    const changes = (typed) => ({ [name]: isList ? toggled(typed[name], one.value) : chosen ? "" : one.value });
    return value(app, { label: labelOf(one), count: one.count, share: one.count / most(facet), chosen, changes });
  });
  return group(app, title, field, rows);
}

function choices(app) {
  const { address, words, info } = app;
  const isShare = (share) => Math.round(100 * (address.min_relevance ?? 0)) === share;
  const word = (label, on, changes, more = nothing) => html`<button type="button" class="word" aria-pressed=${String(on)} @click=${() => app.go(but(app.typed(), changes))}>${more}${label}</button>`;
  const told = info && Object.keys(info.relevance ?? {}).length > 0 && asks(address) && address.match !== "text";
  return html`
    <h3>${words.say("filter_shape")}</h3><div class="options">${SHAPE_NAMES.map((name) => word(words.name("shapes", name), address.shape === name, { shape: address.shape === name ? "" : name }, html`<i class="frame ${name}"></i>`))}</div>
    <h3>${words.say("filter_width")}</h3><div class="options">${WIDTHS.map((width) => word(`≥ ${width}`, address.width === width, { width: address.width === width ? 0 : width }))}</div>
    <h3>${words.say("filter_duplicates")}</h3><div class="options">${word(words.say("hide_duplicates"), address.hide_duplicates, { hide_duplicates: !address.hide_duplicates })}</div>
    ${told ? html`<h3>${words.say("filter_sure")}</h3><div class="options">${SURE.map((share) => word(`≥ ${share}%`, isShare(share), { min_relevance: isShare(share) ? null : share / 100 }))}</div>
      ${seen(app) ? html`<p class="quiet">${words.say("sure_seen", { n: seen(app) })}</p>` : nothing}` : nothing}`;
}

// The share of hits with a relevance of a half or more that were right, of things that it was not fitted on, in per cent.
function seen(app) {
  const bins = Object.values(app.info.relevance).flatMap((told) => told.reliability).filter((one) => one.said >= 0.5);
  const hits = bins.reduce((sum, one) => sum + one.hits, 0);
  return hits ? Math.round((100 * bins.reduce((sum, one) => sum + one.right * one.hits, 0)) / hits) : 0;
}

export function panel(app) {
  const { words, facets, address } = app;
  if (!app.panelOpen) return nothing;
  const { counts } = facets;
  const partly = counts && asks(address) && counts.counted < counts.total;
  return html`<aside class="panel" aria-label=${words.say("filters")}>
    <div class="top"><h2>${words.say("filters")}</h2><button type="button" class="round" aria-label=${words.say("close")} title=${words.say("close")} @click=${() => app.togglePanel()}>${icon("x")}</button></div>
    ${partly ? html`<p class="quiet">${words.say("counted", { n: counts.counted })}</p>` : nothing}
    ${app.boards.panel()}${app.saved.panel()}
    ${dates(app)}${folders(app)}${places(app)}
    ${single(app, "kind", "kind", words.say("filter_kind"), (one) => words.name("media", one.value))}
    ${colours(app)}${others(app)}
    ${single(app, "format", "formats", words.say("filter_format"), (one) => one.value.toUpperCase())}
    ${choices(app)}
    <div class="done">${html`<button type="button" class="button main" @click=${() => app.togglePanel()}>${words.say("show_results", { n: app.results?.length ?? 0 })}</button>`}</div>
  </aside>`;
}
