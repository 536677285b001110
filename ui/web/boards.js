// Boards: named collections, kept in the library's folder, and the one of favourites.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BLANK, but } from "./address.js";
import { FAVOURITES, Membership } from "./membership.js";
import { button, copyText, download, icon, menu } from "./parts.js";

const MOST_LOADS = 3;

export class Boards {
  constructor(app) {
    Object.assign(this, { app, list: [], there: false, changes: 0, stale: false });
    this.membership = new Membership(app.service, {
      onNews: () => this.redraw(),
      onKept: (board) => this.kept(board),
      onError: (error) => app.complain(error.message),
    });
    document.addEventListener("visibilitychange", () => { // another tab may have changed them
      if (document.hidden || !this.there || app.page !== "search") return;
      this.membership.doubt();
      this.load();
    });
  }

  // Names and counts; again where a change has come between, of which the answer may not tell.
  async load() {
    try {
      for (let loads = 1; ; loads += 1) {
        const before = this.changes;
        const { boards } = await this.app.service.ask("boards");
        if (before !== this.changes && loads < MOST_LOADS) continue;
        this.list = boards;
        break;
      }
      this.there = true;
    } catch (error) {
      this.there = false; // a key that may not read them, or a file that cannot be read
      if (["boards_unavailable", "boards_damaged"].includes(error.code)) this.app.complain(error.message);
    }
    this.redraw();
  }

  redraw() {
    this.app.update();
    this.app.grid.draw();
    this.app.picture.draw();
  }

  nameOf(id) {
    return this.list.find((one) => one.id === id)?.name ?? this.app.words.say("board");
  }

  isLoved(id) {
    return this.there && this.membership.isLoved(id);
  }

  need(ids) {
    if (this.there) this.membership.need(ids);
  }

  // A board was changed: its count is told at once, lists that it narrows are searched anew.
  kept(board) {
    this.changes += 1;
    this.list = this.list.map((one) => (one.id === board.id ? board : one));
    this.load();
    this.changed(board.id);
  }

  changed(id) {
    const { listing, picture, address } = this.app;
    listing.forgetBoards();
    if (!address.board) return;
    if (picture.isOpen) this.stale ||= address.board === id; // it stays among its neighbours until it is closed
    else if (address.board === id) listing.again({ stays: true });
  }

  // An open picture was closed over a board that has changed meanwhile.
  settle() {
    if (this.stale && this.app.address.board) this.app.listing.again({ stays: true });
    this.stale = false;
  }

  // `board`: the id of the one that is changed, none for one that is made; `ids`: the pictures that come or go.
  async change(request, { board = null, ids = [] } = {}) {
    try {
      await request();
    } catch (error) {
      this.app.complain(error.message);
      return false;
    } finally {
      this.changes += 1;
      this.membership.doubt(ids);
    }
    await this.load();
    if (ids.length) this.changed(board);
    return true;
  }

  put(board, ids, way = "") {
    return this.change(() => this.app.service.ask(`boards/${board}/pictures${way}`, { method: "POST", body: { ids } }), { board, ids });
  }

  async add(board, ids) {
    if (await this.put(board, ids)) this.app.tell("added_to_board", { n: ids.length, name: this.nameOf(board) });
  }

  async take(board, ids) {
    if (await this.put(board, ids, "/remove")) this.app.tell("taken_from_board", { n: ids.length, name: this.nameOf(board) });
  }

  async create(name, ids) {
    let made = null;
    const done = await this.change(async () => {
      made = await this.app.service.ask("boards", { method: "POST", body: { name, ids } });
    }, { ids });
    if (done) this.app.tell("added_to_board", { n: ids.length, name: made.name });
  }

  async remove(board, ids) {
    if (await this.put(board, ids, "/remove")) this.app.selection.clear();
  }

  favour(id) {
    if (this.there) this.membership.favour(id);
  }

  heart(id) {
    if (!this.there) return nothing;
    const loved = this.isLoved(id), label = this.app.words.say("favourite");
    return html`<button type="button" class="button round ${loved ? "loved" : ""}" aria-pressed=${String(loved)} aria-label=${label} title=${label}
      aria-keyshortcuts="f" @click=${() => this.favour(id)}>${icon("heart")}</button>`;
  }

  // The boards that an open picture is on, besides the favourites, which its heart tells of.
  ofPicture(id) {
    const { app } = this, { words } = app;
    const own = this.there ? this.membership.boardsOf(id).filter((one) => one !== FAVOURITES && this.list.some((board) => board.id === one)) : [];
    if (!own.length) return nothing;
    return html`<ul class="tags on-boards" role="list" aria-label=${words.say("boards")}>${own.map((one) => {
      const to = { ...BLANK, lang: app.address.lang, board: one }, name = this.nameOf(one);
      return html`<li><a href=${app.hrefOf(to)} @click=${app.following(() => app.go(to, { setsBox: true }))}>${icon("bookmark")}${name}</a></li>`;
    })}</ul>`;
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
      ${this.list.map((one) => this.choice(one, ids))}</ul>
      <form class="inline" @submit=${create}><input class="field" name="name" maxlength="200" required placeholder=${words.say("new_board")} aria-label=${words.say("new_board")}>
        <button type="submit" class="button">${words.say("make")}</button></form>`, { iconOnly });
  }

  // A board in the menu. Where it has all of the pictures, as far as they are known, a click takes them off again.
  choice(board, ids) {
    const has = ids.every((id) => this.membership.has(id, board.id));
    return html`<li><button type="button" aria-pressed=${String(has)} @click=${() => (has ? this.take(board.id, ids) : this.add(board.id, ids))}>
      ${has ? icon("check") : nothing}<span class="label">${board.name}</span><span class="count">${this.app.words.number(board.count)}</span></button></li>`;
  }

  // In the panel beside the pictures.
  panel() {
    const { app } = this, { words } = app;
    const shown = this.list.filter((one) => one.count || one.id !== FAVOURITES);
    if (!shown.length) return nothing;
    return html`<details class="group" open><summary>${words.say("boards")}${icon("chevron-down")}</summary><ul role="list">${shown.map((one) => {
      const on = app.address.board === one.id;
      return html`<li><button type="button" class="value" aria-pressed=${String(on)} @click=${() => app.go(but(app.typed(), { board: on ? "" : one.id }))}>
        ${icon(one.id === FAVOURITES ? "heart" : one.fixed ? "copy" : "bookmark")}<span class="label">${one.name}</span><span class="count">${words.number(one.count)}</span></button></li>`;
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
      if (!await this.change(() => app.service.ask(`boards/${board.id}`, { method: "DELETE" }))) return;
      this.membership.doubt();
      app.listing.forgetBoards();
      app.go({ ...BLANK, lang: address.lang }, { setsBox: true });
    };
    return html`<div class="board-head">${board.fixed ? html`<h1>${board.name}</h1>`
      : html`<form @submit=${rename}><input name="name" class="title" .value=${board.name} maxlength="200" aria-label=${words.say("board_name")} @blur=${(event) => event.target.form.requestSubmit()}></form>`}
      ${button(words.say("copy_link"), "share-2", async () => { await copyText(location.href); app.tell("copied"); }, { iconOnly: app.narrow })}
      ${button(words.say("save_zip_short"), "file-archive", () => save("zip"), { iconOnly: app.narrow })}
      ${button("CSV", "file-spreadsheet", () => save("csv"), { iconOnly: app.narrow })}
      ${board.fixed ? nothing : menu(words.say("delete_board"), "trash-2", html`<p>${words.say("delete_board_sure")}</p>${button(words.say("delete_board"), "trash-2", drop, { kind: "main" })}`, { iconOnly: true })}</div>`;
  }
}
