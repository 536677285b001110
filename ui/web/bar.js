// The top of the page: name, search box, what is asked as chips, and how it is looked for.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { live } from "./vendor/lit-html/directives/live.js";
import { ref } from "./vendor/lit-html/directives/ref.js";
import { BLANK, asks, but, narrows } from "./address.js";
import { SIZES } from "./grid.js";
import { button, icon, mark, menu } from "./parts.js";
import { chips } from "./chips.js";

const SORTS = ["-taken", "taken", "-added", "name", "-size", "-rating"];

export function header(app) {
  const { words, info } = app;
  const link = (view, label, name) => html`<a href=${app.pageOf(view)} class="way" aria-label=${label} aria-current=${app.page === view ? "page" : nothing}
    @click=${app.following(() => app.turnTo(view))}>${icon(name)}<span>${label}</span></a>`;
  const themed = words.say("theme", { now: words.name("themes", app.theme.chosen) });
  return html`<header>
    <a class="name" href=${app.hrefOf(BLANK)} @click=${app.following(() => app.go({ ...BLANK, lang: app.address.lang }, { clearsBox: true }))}>
      ${mark}<b>${words.say("title")}</b><span>${words.say("subtitle")}</span></a>
    <nav class="ways" aria-label=${words.say("pages")}>${link("search", words.say("page_search"), "search")}${link("library", words.say("page_library"), "library")}</nav>
    ${app.libraries.view()}
    <p class="status">${info ? html`<span>${words.say("picture_count", { n: info.pictures })}</span><span class="more">${indexed(app)}</span>` : nothing}</p>
    <nav class="langs" aria-label=${words.say("language")}>${["zh", "en"].map((lang) => html`<a href=${app.hrefOf({ lang })} lang=${lang}
      aria-current=${lang === words.lang ? "true" : nothing} @click=${app.following(() => app.speak(lang))}>${lang === "zh" ? "中文" : "EN"}</a>`)}</nav>
    <button type="button" class="round theme" title=${themed} aria-label=${themed} @click=${() => app.turnTheme()}>${icon("sun-moon")}</button>
  </header>`;
}

// How far a run that adds pictures has come, or when the last one ended.
function indexed({ words, job, info }) {
  const { done, total } = job?.progress ?? {};
  if (job) return total ? words.say("indexing_share", { share: words.percent(done / total) }) : words.say("indexing_now");
  return words.say("updated", { ago: words.ago(info.created_at) });
}

export function searchBox(app) {
  const { words } = app;
  const submit = (event) => {
    event.preventDefault();
    app.submit();
    if (matchMedia("(hover: none)").matches) app.box.blur();
  };
  return html`<form class="ask ${app.given.held === "more" ? "held" : ""}" role="search" @submit=${submit}>
    ${icon("search")}
    <input type="search" name="q" autocomplete="off" enterkeyhint="search" maxlength="500" spellcheck="false" ${ref(app.boxRef)}
      placeholder=${words.say(app.narrow ? "placeholder_short" : "placeholder")} aria-label=${words.say("search_label")} title=${words.say("query_help")}
      role="combobox" aria-expanded=${String(app.suggest.open)} aria-controls="suggestions" aria-autocomplete="list"
      aria-activedescendant=${app.suggest.chosen >= 0 ? `suggestion-${app.suggest.chosen}` : nothing}
      @input=${(event) => app.suggest.type(event)} @focus=${() => app.suggest.focus()} @blur=${() => app.suggest.close()}
      @keydown=${(event) => app.suggest.key(event)}>
    <input type="file" multiple accept="image/*,.heic,.heif,.avif,.tif,.tiff" class="hush" tabindex="-1" aria-hidden="true"
      @change=${(event) => { app.given.take([...event.target.files]); event.target.value = ""; }}>
    <button type="button" class="round" title=${`${words.say("add_picture")}. ${words.say("drop_hint")}`} aria-label=${words.say("add_picture")}
      @click=${(event) => event.currentTarget.previousElementSibling.click()}>${icon("image-plus")}</button>
    <button type="submit" class="submit" aria-label=${words.say("search")}><span>${words.say("search")}</span>${icon("search")}</button>
    ${app.suggest.view()}
  </form>`;
}

export function tools(app) {
  const { address, words } = app;
  const one = (match) => html`<a href=${app.hrefOf({ match })} aria-current=${address.match === match ? "true" : nothing}
    @click=${app.following(() => app.go(but(app.typed(), { match })))}>${words.name("matches", match)}</a>`;
  const sorts = html`<ul class="list" role="list">${[...(asks(address) ? [""] : []), ...SORTS].map((sort) => html`<li><a href=${app.hrefOf({ sort })}
    aria-current=${(address.sort || (asks(address) ? "" : "-taken")) === sort ? "true" : nothing}
    @click=${app.following(() => app.go(but(app.typed(), { sort })))}>${words.name("sorts", sort || "best")}</a></li>`)}</ul>`;
  return html`<div class="tools">
    ${asks(address) ? html`<nav class="looks" title=${words.say("match_help")} aria-label=${words.say("match")}>${["auto", "vector", "text"].map(one)}</nav>` : nothing}
    ${menu(words.say("sort"), "arrow-up-down", sorts, { iconOnly: app.narrow })}
    ${app.map.isShown ? nothing : button(words.say("map"), "map", () => app.go(but(app.typed(), { view: "map" })), { iconOnly: true })}
    <label class="size" title=${words.say("tile_size")}>${icon("layout-grid")}<input type="range" min=${SIZES.least} max=${SIZES.most} step="10"
      .value=${live(String(app.grid.size))} aria-label=${words.say("tile_size")} @input=${(event) => app.grid.resize(Number(event.target.value))}></label>
    ${button(words.say("filters"), "sliders-horizontal", () => app.togglePanel(), { pressed: app.panelOpen, iconOnly: app.narrow })}
    ${app.narrow ? nothing : clear(app)}
  </div>`;
}

function clear(app) {
  const { address, words } = app;
  if (!asks(address) && !narrows(address)) return nothing;
  return button(words.say("clear"), "x", () => app.go({ ...BLANK, lang: address.lang }, { clearsBox: true }), { kind: "plain" });
}

export const row = (app) => html`<div class="row"><div class="chips">${chips(app)}${app.narrow ? clear(app) : nothing}</div>${tools(app)}</div>`;
