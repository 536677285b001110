// Boards: named collections, kept in the library's folder, and the one of favourites.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BLANK, but } from "./address.js";
import { button, copyText, download, icon, menu } from "./parts.js";

const FAVOURITES = "favourites";

export class Boards {
  constructor(app) {
    Object.assign(this, { app, list: [], favourites: new Set(), there: false });
  }

  async load() {
    try {
      this.list = (await this.app.service.ask("boards")).boards;
      const loved = await this.app.service.ask(`boards/${FAVOURITES}?limit=500`);
      this.favourites = new Set(loved.pictures.map((one) => one.id).filter((id) => id !== null));
      this.there = true;
    } catch {
      this.there = false; // a service without boards, or a key that may not read them
    }
    this.app.update();
  }

  nameOf(id) {
    return this.list.find((one) => one.id === id)?.name ?? this.app.words.say("board");
  }

  async change(request) {
    try {
      await request();
      await this.load();
      return true;
    } catch (error) {
      this.app.complain(error.message);
      return false;
    }
  }

  add(board, ids) {
    return this.change(() => this.app.service.ask(`boards/${board}/pictures`, { method: "POST", body: { ids } }))
      .then((done) => done && this.app.tell("added_to_board", { n: ids.length, name: this.nameOf(board) }));
  }

  async create(name, ids) {
    let made = null;
    const done = await this.change(async () => {
      made = await this.app.service.ask("boards", { method: "POST", body: { name, ids } });
    });
    if (done) this.app.tell("added_to_board", { n: ids.length, name: made.name });
  }

  async remove(board, ids) {
    const done = await this.change(() => this.app.service.ask(`boards/${board}/pictures/remove`, { method: "POST", body: { ids } }));
    if (!done) return;
    this.app.selection.clear();
    this.app.listing.again();
  }

  async favour(id) {
    const loved = this.favourites.has(id);
    this.favourites[loved ? "delete" : "add"](id);
    this.app.picture.draw();
    const done = await this.change(() => this.app.service.ask(`boards/${FAVOURITES}/pictures${loved ? "/remove" : ""}`, { method: "POST", body: { ids: [id] }, keepalive: true }));
    if (!done) this.favourites[loved ? "add" : "delete"](id);
    this.app.picture.draw();
  }

  heart(id) {
    if (!this.there) return nothing;
    const loved = this.favourites.has(id);
    return html`<button type="button" class="button round ${loved ? "loved" : ""}" aria-pressed=${String(loved)} aria-label=${this.app.words.say("favourite")}
      title=${this.app.words.say("favourite")} @click=${() => this.favour(id)}>${icon("heart")}</button>`;
  }

  addButton(ids, { iconOnly = this.app.narrow } = {}) {
    if (!this.there) return nothing;
    const { words } = this.app;
    const create = (event) => {
      event.preventDefault();
      const form = event.currentTarget, name = new FormData(form).get("name").trim();
      if (name) this.create(name, ids).then(() => form.reset());
    };
    return menu(words.say("add_to_board"), "bookmark", html`<ul class="list" role="list">
      ${this.list.map((one) => html`<li><button type="button" @click=${() => this.add(one.id, ids)}>${one.name}<span class="count">${words.number(one.count)}</span></button></li>`)}</ul>
      <form class="inline" @submit=${create}><input class="field" name="name" maxlength="200" required placeholder=${words.say("new_board")} aria-label=${words.say("new_board")}>
        <button type="submit" class="button">${words.say("make")}</button></form>`, { iconOnly });
  }

  // In the panel beside the pictures.
  panel() {
    const { app } = this, { words } = app;
    const shown = this.list.filter((one) => one.count || one.id !== FAVOURITES);
    if (!shown.length) return nothing;
    return html`<details class="group" open><summary>${words.say("boards")}${icon("chevron-down")}</summary><ul role="list">${shown.map((one) => {
      const on = app.address.board === one.id;
      return html`<li><button type="button" class="value" aria-pressed=${String(on)} @click=${() => app.go(but(app.typed(), { board: on ? "" : one.id }))}>
        ${icon(one.id === FAVOURITES ? "heart" : "bookmark")}<span class="label">${one.name}</span><span class="count">${words.number(one.count)}</span></button></li>`;
    })}</ul></details>`;
  }

  // Above the pictures of an open board.
  head() {
    const { app } = this, { words, address } = app, board = this.list.find((one) => one.id === address.board);
    if (!board) return nothing;
    const save = async (format) => {
      try {
        const made = await app.service.ask("archive?ticket=true", { method: "POST", body: { board: board.id, format } });
        download(`${app.service.base}api${made.url}`);
      } catch (error) {
        app.complain(error.message);
      }
    };
    const rename = (event) => {
      event.preventDefault();
      const name = new FormData(event.target).get("name").trim();
      if (name && name !== board.name) this.change(() => app.service.ask(`boards/${board.id}`, { method: "PUT", body: { name } }));
    };
    const drop = async () => {
      if (await this.change(() => app.service.ask(`boards/${board.id}`, { method: "DELETE" }))) app.go({ ...BLANK, lang: address.lang });
    };
    return html`<div class="board-head">${board.id === FAVOURITES ? html`<h1>${board.name}</h1>`
      : html`<form @submit=${rename}><input name="name" class="title" .value=${board.name} maxlength="200" aria-label=${words.say("board_name")} @blur=${(event) => event.target.form.requestSubmit()}></form>`}
      ${button(words.say("copy_link"), "share-2", async () => { await copyText(location.href); app.tell("copied"); }, { iconOnly: app.narrow })}
      ${button(words.say("save_zip_short"), "file-archive", () => save("zip"), { iconOnly: app.narrow })}
      ${button("CSV", "file-spreadsheet", () => save("csv"), { iconOnly: app.narrow })}
      ${board.id === FAVOURITES ? nothing : menu(words.say("delete_board"), "trash-2", html`<p>${words.say("delete_board_sure")}</p>${button(words.say("delete_board"), "trash-2", drop, { kind: "main" })}`, { iconOnly: true })}</div>`;
  }
}
