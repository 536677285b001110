// Four steps for a first visit, which never come back.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { button } from "./parts.js";

const SEEN = "xuntu-toured";
const STEPS = ["tour_search", "tour_more", "tour_filter", "tour_select"];

export function tourOf(app) {
  if (app.page !== "search" || app.picture.isOpen || !app.results?.length) return nothing;
  app.tour ??= { step: localStorage.getItem(SEEN) ? -1 : 0 };
  const { step } = app.tour, { words } = app;
  if (step < 0) return nothing;
  const end = () => {
    localStorage.setItem(SEEN, "1");
    app.tour.step = -1;
    app.update();
  };
  const next = () => {
    app.tour.step += 1;
    if (app.tour.step >= STEPS.length) end();
    app.update();
  };
  return html`<div class="tour" role="dialog" aria-label=${words.say("tour")}>
    <p>${words.say(STEPS[step])}</p><div><span class="quiet">${step + 1} / ${STEPS.length}</span>
    ${button(words.say("tour_end"), "", end, { kind: "plain" })}${step < STEPS.length - 1 ? button(words.say("tour_next"), "", next, { kind: "main" }) : nothing}</div></div>`;
}
