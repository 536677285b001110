// The years of what is listed by date, along the right edge: a click or a drag goes there.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { asks, body } from "./address.js";

const LEAST = 120; // pictures, below which scrolling is quicker

export class Timeline {
  constructor(app) {
    Object.assign(this, { app, key: "", months: [], at: null });
  }

  get order() {
    const { address } = this.app;
    const sort = address.sort || (asks(address) ? "" : "-taken");
    return { "-taken": -1, taken: 1 }[sort] ?? 0;
  }

  get shown() {
    return this.months.length > 1 && this.order !== 0 && this.app.address.view !== "map";
  }

  async count() {
    const { app } = this;
    if (!this.order || !app.results || app.results.total < LEAST) {
      Object.assign(this, { months: [], key: "" });
      return;
    }
    const asked = body({ ...app.address, sort: "" });
    const key = JSON.stringify([asked, this.order, app.service.build]);
    if (key === this.key) return;
    this.key = key;
    try {
      const found = await app.service.ask("facets", { method: "POST", body: { ...asked, fields: ["taken"], by: "month", first: 10_000 }, keep: true });
      if (this.key !== key) return;
      const [facet] = found.facets;
      const values = [...(facet?.values ?? [])].sort((one, other) => (one.value < other.value ? this.order : -this.order) * -1);
      let before = 0;
      this.months = values.map((one) => {
        const month = { value: one.value, place: before };
        before += one.count;
        return month;
      });
      this.total = before + (facet?.missing ?? 0);
    } catch {
      Object.assign(this, { months: [], key: "" });
    }
    app.update();
  }

  monthAt(share) {
    const place = share * this.total;
    return this.months.findLast((one) => one.place <= place) ?? this.months[0];
  }

  view() {
    const { app } = this, { words } = app;
    if (!this.shown) return nothing;
    const years = this.months.filter((one, place) => place === 0 || one.value.slice(0, 4) !== this.months[place - 1].value.slice(0, 4));
    let last = -1;
    const marks = years.map((one) => ({ year: one.value.slice(0, 4), share: one.place / this.total }))
      .filter((one) => { // not one over the other
        if (one.share - last < 0.03 && last >= 0) return false;
        last = one.share;
        return true;
      });
    const share = (event) => {
      const seen = event.currentTarget.getBoundingClientRect();
      return Math.min(0.9999, Math.max(0, (event.clientY - seen.top) / seen.height));
    };
    const follow = (event) => {
      this.at = share(event);
      if (event.buttons & 1) app.grid.jump(this.dragged(event));
      app.update();
    };
    return html`<div class="timeline" role="slider" tabindex="0" aria-label=${words.say("timeline")} aria-orientation="vertical"
      aria-valuemin="0" aria-valuemax=${this.months.length - 1} aria-valuenow=${this.now} aria-valuetext=${words.month(this.months[this.now]?.value ?? "")}
      @pointerdown=${(event) => { event.currentTarget.setPointerCapture(event.pointerId); this.at = share(event); app.grid.jump(this.dragged(event)); app.update(); }}
      @pointermove=${follow} @pointerleave=${() => { this.at = null; app.update(); }} @keydown=${(event) => this.key(event)}>
      ${marks.map((one) => html`<span style="top:${100 * one.share}%">${one.year}</span>`)}
      ${this.at === null ? nothing : html`<b style="top:${100 * this.at}%">${words.month(this.monthAt(this.at).value)}</b>`}</div>`;
  }

  dragged(event) {
    const seen = event.currentTarget.getBoundingClientRect();
    return this.monthAt(Math.min(0.9999, Math.max(0, (event.clientY - seen.top) / seen.height))).place;
  }

  // The month that is seen now.
  get now() {
    const place = this.app.grid.anchor()?.place ?? 0;
    return Math.max(0, this.months.findLastIndex((one) => one.place <= place));
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.app.grid.jump(this.months[Math.min(this.months.length - 1, Math.max(0, this.now + step))].place);
    this.app.update();
  }
}
