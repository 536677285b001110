// What stands above, below or in place of the pictures.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BLANK, asks, but, narrows } from "./address.js";
import { button, copyText, icon } from "./parts.js";
import { clock } from "./words.js";

const way = (app, label, to, kind = "") => html`<a class="button ${kind}" href=${app.hrefOf(to)} @click=${app.following(() => app.go(to, { setsBox: true }))}>${label}</a>`;
const blank = (app) => ({ ...BLANK, lang: app.address.lang });

function command(app, said) {
  const copy = async (event) => {
    const label = event.currentTarget.querySelector("span");
    await copyText(said);
    label.textContent = app.words.say("copied");
  };
  return html`<div class="command"><code>${said}</code>${button(app.words.say("copy"), "copy", copy)}</div>`;
}

export function failed(app) {
  const { error, words, address } = app;
  const card = (title, body, ...more) => html`<section class="card" role="alert"><h1>${title}</h1><p>${body}</p>${more}</section>`;
  if (error.code === "no_index") return empty(app);
  const words_ = error.code === "unknown_words" && address.match !== "text";
  const ways = html`<div class="ways">
    ${words_ ? way(app, words.say("look_at_words"), but(address, { match: "text" })) : nothing}
    ${error.status === 422 || error.status === 404 ? nothing : button(words.say("retry"), "rotate-ccw", () => app.listing.again())}
    ${way(app, words.say("start_over"), blank(app))}</div>`;
  const id = error.requestId && error.status >= 500 ? html`<p class="id">${words.say("request_id", { id: error.requestId })}</p>` : nothing;
  return card(words.say(error.status === 422 ? "misunderstood_title" : "error_title"), error.message, ways, id);
}

export function empty(app) {
  const { words, job } = app;
  if (job) return indexing(app);
  return html`<section class="card"><h1>${words.say("empty_title")}</h1><p>${words.say("empty_body_page")}</p>
    <div class="ways"><a class="button main" href=${app.pageOf("library")} @click=${app.following(() => app.turnTo("library"))}>${icon("folder")}<span>${words.say("add_folder")}</span></a></div>
    ${command(app, "xuntu index build PATH")}<p class="after">${words.say("empty_after")}</p></section>`;
}

export function indexing(app) {
  const { words, job } = app;
  const { done, total, rate, seconds_left: left } = job.progress ?? job;
  const said = [total ? `${words.number(done)} / ${words.number(total)}` : words.number(done ?? 0), rate ? words.say("rate", { n: rate >= 10 ? Math.round(rate) : Math.round(10 * rate) / 10 }) : "",
    left != null ? words.say("time_left", { time: clock(left) }) : ""].filter(Boolean);
  return html`<section class="card" role="status"><h1>${words.say("indexing_title")}</h1><p>${words.say("indexing_body")}</p>
    <progress value=${total ? done : nothing} max=${total || nothing} aria-label=${words.say("indexing_title")}></progress>
    <p class="quiet">${said.join(" · ")}</p></section>`;
}

export function nothingFound(app) {
  const { address, words, answer } = app;
  const filtered = narrows({ ...address, board: "" });
  const tips = [filtered && "tip_filters", address.pictures.some((one) => one.role === "less") && "tip_away", address.match === "text" && "tip_match", asks(address) && "tip_words"].filter(Boolean);
  const unfiltered = { ...blank(app), q: address.q, pictures: address.pictures, match: address.match };
  return html`<section class="card" role="status"><h1>${words.say("nothing_title")}</h1><p>${words.say(address.board && !filtered ? "board_empty" : "nothing_body")}</p>
    ${(answer?.notes ?? []).map((one) => html`<p>${one.message}</p>`)}
    ${tips.length ? html`<ul class="tips">${tips.map((tip) => html`<li>${words.say(tip)}</li>`)}</ul>` : nothing}
    <div class="ways">${filtered ? way(app, words.say("without_filters"), unfiltered) : nothing}
      ${address.match === "text" ? way(app, words.say("look_at_pictures"), but(address, { match: "vector" })) : nothing}${way(app, words.say("start_over"), blank(app))}</div></section>`;
}

// Above the pictures: how many there are, as far as that can be said.
export function line(app) {
  const { results, words, answer, address } = app;
  if (!results || !answer) return nothing;
  const notes = (answer.notes ?? []).filter((one) => one.code !== "no_good_match" || !results.noneLikely);
  let said = "";
  if (!results.asked) said = words.say("picture_count", { n: results.total });
  else if (!results.total && results.nearest.length) said = "";
  else if (results.noneLikely) said = "";
  else if (results.endsEarly || (Number.isInteger(answer.likely) && answer.likely === results.total)) said = words.say("about_likely", { n: answer.likely });
  else if (Number.isInteger(answer.likely) && answer.likely_is_least) said = words.say("at_least_likely", { n: answer.likely });
  else said = words.say("best_first");
  const none = results.noneLikely || (!results.total && results.nearest.length > 0);
  return html`
    ${none ? html`<div class="none" role="status"><h1>${words.say("no_match_title")}</h1><p>${address.min_relevance ? words.say("no_match_body", { n: Math.round(100 * address.min_relevance) }) : words.say("no_match_nearest")}</p>
      ${address.min_relevance ? way(app, words.say("any_relevance"), but(address, { min_relevance: null })) : nothing}</div>` : nothing}
    ${notes.length ? html`<ul class="notes" role="list">${notes.map((one) => html`<li>${one.message}</li>`)}</ul>` : nothing}
    ${said ? html`<p class="line" role="status">${said}</p>` : nothing}`;
}

// Below the last likely picture.
export function end(app) {
  const { results, words, answer } = app;
  if (!results?.begun || !answer) return nothing;
  if (results.endsEarly && !results.open) {
    return html`<div class="end"><span>${words.say("end_of_likely", { n: answer.likely })}</span>
      ${button(words.say("show_anyway"), "", () => { results.open = true; app.grid.lay(); app.update(); })}</div>`;
  }
  return nothing;
}

export function welcome(app) {
  const { words } = app;
  if (app.error || asks(app.address) || narrows(app.address) || app.address.sort || app.visited) return nothing;
  return html`<section class="welcome"><h1>${words.say("welcome_title")}</h1>
    <nav class="examples" aria-label=${words.say("examples_label")}>${words.sentences.examples.map((one) => {
      const to = { ...blank(app), q: one };
      return html`<a href=${app.hrefOf(to)} @click=${app.following(() => app.go(to, { setsBox: true }))}>${one}</a>`;
    })}</nav></section>`;
}

export function banner(app) {
  const { words } = app;
  if (app.complaint) {
    return html`<div class="banner loud" role="alert">${icon("triangle-alert")}<span>${app.complaint}</span>
      <button type="button" class="round" aria-label=${words.say("close")} @click=${() => app.complain("")}>${icon("x")}</button></div>`;
  }
  // That the service is away, the widgets of the library say themselves.
  if (app.lost || (app.service.away && app.page === "search")) return html`<div class="banner" role="status">${icon("wifi-off")}<span>${words.say("away")}</span></div>`;
  return app.told ? html`<div class="banner told" role="status">${icon("check")}<span>${app.told}</span></div>` : nothing;
}
