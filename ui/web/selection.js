// What is selected, and what can be done with it.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BLANK } from "./address.js";
import { button, copyText, download, menu } from "./parts.js";

export const MOST = 10_000;
const MOST_CLAUSES = 16;
const MOST_ON_SHEET = 200;

export class Selection {
  constructor(app) {
    Object.assign(this, { app, hits: new Map(), last: 0, said: "" });
  }

  get size() {
    return this.hits.size;
  }

  get ids() {
    return [...this.hits.keys()];
  }

  has(id) {
    return this.hits.has(id);
  }

  changed() {
    this.said = "";
    this.app.update();
    this.app.grid.draw();
  }

  toggle(hit) {
    if (!hit) return;
    if (!this.hits.delete(hit.id)) this.hits.set(hit.id, hit);
    this.changed();
  }

  // Selects one picture, or all from the last that was selected to this one.
  pick(results, place, isRange) {
    if (isRange) {
      const [from, to] = [Math.min(this.last, place), Math.max(this.last, place)];
      for (let one = from; one <= to; one += 1) {
        const hit = results.at(one);
        if (hit) this.hits.set(hit.id, hit);
      }
      this.changed();
    } else this.toggle(results.at(place));
    this.last = place;
  }

  // Selects these and no others.
  take(hits) {
    if (hits.size === this.hits.size && [...hits.keys()].every((id) => this.hits.has(id))) return;
    this.hits = hits;
    this.changed();
  }

  // Sees to it that all hits from one place to another are there; says whether some were not.
  async complete(results, [from, to]) {
    if (results.has(from, to)) return false;
    this.say("selecting");
    try {
      await results.fetch(from, to);
      return true;
    } catch (error) {
      this.say("", {}, error.message);
      return false;
    } finally {
      if (this.said === this.app.words.say("selecting")) this.say("", {}, "");
    }
  }

  async all(results) {
    this.said = this.app.words.say("selecting");
    this.app.update();
    try {
      for (const hit of await results.all(MOST)) this.hits.set(hit.id, hit);
      this.changed();
      if (results.length > MOST) this.say("selected_most", { n: MOST });
    } catch (error) {
      this.say("", {}, error.message);
    }
  }

  clear() {
    this.hits.clear();
    this.changed();
  }

  say(name, values, text = this.app.words.say(name, values)) {
    this.said = text;
    this.app.update();
  }

  // The service makes a ticket, and the browser fetches it as any other file, with its own progress.
  async save(format) {
    const { service, words } = this.app;
    this.say("preparing");
    try {
      const made = await service.ask("archive?ticket=true", { method: "POST", body: { ids: this.ids, format } });
      download(`${service.base}api${made.url}`);
      this.say("downloading_n", { n: this.size });
    } catch (error) {
      this.say("", {}, error.message || words.say("error_title"));
    }
  }

  async copyPaths() {
    const { service } = this.app;
    try {
      const known = await Promise.all(this.ids.slice(0, MOST).map((id) => {
        const hit = this.hits.get(id);
        return hit.root ? `${hit.root.replace(/\/$/, "")}/${hit.path}` : service.ask(`images/${id}`).then((one) => `${one.root}/${one.path}`);
      }));
      await copyText(known.join("\n"));
      this.say("copied_n", { n: known.length });
    } catch (error) {
      this.say("", {}, error.message);
    }
  }

  searchLike() {
    const { app } = this;
    const pictures = this.ids.slice(0, MOST_CLAUSES).map((id) => ({ role: "like", name: String(id), crop: null, weight: 1 }));
    app.go({ ...BLANK, lang: app.address.lang, pictures }, { setsBox: true });
    this.clear();
  }

  view() {
    const { app } = this, { words } = app;
    if (!this.size) return nothing;
    const files = html`<ul class="list" role="list">
      ${[["zip", "save_zip"], ["csv", "save_csv"], ["json", "save_json"]].map(([format, name]) => html`<li><button type="button" @click=${() => this.save(format)}>${words.say(name)}</button></li>`)}
      ${app.narrow ? html`<li><button type="button" @click=${() => this.copyPaths()}>${words.say("copy_paths")}</button></li>` : nothing}
      ${(this.size <= MOST_ON_SHEET ? [["sheet", "save_sheet"], ["pdf", "save_pdf"]] : []).map(([format, name]) => html`<li><button type="button" @click=${() => this.save(format)}>${words.say(name)}</button></li>`)}</ul>`;
    return html`<section class="action-bar" aria-label=${words.say("selection")}><div class="actions" role="toolbar" aria-label=${words.say("selection")}>
      <b aria-live="polite">${words.say("selected", { n: this.size })}</b>
      ${button(words.say("save_zip_short"), "file-archive", () => this.save("zip"), { kind: "main" })}
      ${menu(words.say("save_as"), "download", files, { iconOnly: app.narrow })}
      ${app.narrow ? nothing : button(words.say("copy_paths"), "clipboard", () => this.copyPaths())}
      ${button(words.say("search_like_these"), "search", () => this.searchLike(), { iconOnly: app.narrow })}
      ${app.boards.addButton(this.ids)}
      ${app.address.board ? button(words.say("take_from_board"), "minus", () => app.boards.remove(app.address.board, this.ids), { iconOnly: app.narrow }) : nothing}
      <span class="said" role="status">${this.said}</span>
      ${app.results && this.size < app.results.length && !(app.narrow && app.address.board) ? button(words.say("select_all"), "square-check", () => this.all(app.results), { kind: "plain", iconOnly: app.narrow }) : nothing}
      ${button(words.say("select_none"), "x", () => this.clear(), { kind: "plain", iconOnly: true })}
    </div></section>`;
  }
}
