// Pictures that a person brings: dropped, pasted, chosen, dragged from another page or from among those that are shown.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { but, withPicture } from "./address.js";
import { icon } from "./parts.js";
import { dragOut, give } from "./uploads.js";

const MOST = 16; // parts of a search, that the service takes together

const carriesPicture = (data) => [...(data?.types ?? [])].some((type) => type === "Files" || type === "text/uri-list");

// The addresses that a drag from a page stands for: first that of the picture itself, then that of the link around it.
function addressesOf(data) {
  const inside = new DOMParser().parseFromString(data.getData("text/html"), "text/html").querySelector("img[src]")?.getAttribute("src");
  return [...new Set([inside, ...data.getData("text/uri-list").split(/\r?\n/)])].filter((one) => /^(https?:|data:image\/)/.test(one ?? ""));
}

// A picture of another page, where that page lets it be read.
async function fetched(addresses) {
  for (const address of addresses) {
    try {
      const answer = await fetch(address, { mode: "cors", credentials: "omit" });
      const blob = await answer.blob();
      if (answer.ok && blob.type.startsWith("image/")) return [blob];
    } catch {
      // its site keeps it
    }
  }
  return [];
}

export class Given {
  constructor(app) {
    Object.assign(this, { app, held: null, own: null });
    const { host } = app;
    document.addEventListener("dragover", (event) => this.over(event));
    document.addEventListener("dragleave", (event) => !event.relatedTarget && this.show(null));
    document.addEventListener("drop", (event) => this.drop(event));
    document.addEventListener("paste", (event) => this.paste(event));
    host.addEventListener("dragstart", (event) => { this.own = dragOut(app, event); });
    ["dragend", "pointerdown"].forEach((kind) => document.addEventListener(kind, () => this.forget())); // a picture that is gone from the list tells of no end
  }

  forget() {
    this.own = null;
    this.show(null);
  }

  // What letting go here would do: search with it, add it to what is asked, or nothing.
  deed(event) {
    const { app } = this;
    if (app.page !== "search") return null;
    if (this.own) return event.composedPath().some((one) => one.classList?.contains("sticky")) ? "more" : null;
    if (!carriesPicture(event.dataTransfer)) return null;
    return app.address.pictures.length && event.clientX > innerWidth / 2 ? "add" : "search";
  }

  over(event) {
    const deed = this.deed(event);
    if (deed) event.preventDefault();
    this.show(deed);
  }

  show(deed) {
    if (deed === this.held) return;
    this.held = deed;
    this.app.update();
  }

  async drop(event) {
    const deed = this.deed(event), { own, app } = this, data = event.dataTransfer;
    this.forget();
    if (!deed) return;
    event.preventDefault();
    if (deed === "more") {
      app.more(own);
      return;
    }
    const files = [...data.files], addresses = addressesOf(data);
    const known = addresses.map((one) => this.idOf(one)).find((id) => id !== null);
    if (known !== undefined) this.ask([{ role: "like", name: known, crop: null, weight: 1 }], deed === "add");
    else await this.take(files.length ? files : await fetched(addresses), { adds: deed === "add" });
  }

  // The number of a picture that was dragged here from another window with this library, else null.
  idOf(address) {
    const images = new URL(this.app.service.url("images/"), location.href).href;
    return address.startsWith(images) ? /^\d{1,18}(?=\/)/.exec(address.slice(images.length))?.[0] ?? null : null;
  }

  // A copy of text and picture at once, as programs for tables make, is text where one types.
  paste(event) {
    const { app } = this, data = event.clipboardData, files = [...(data?.files ?? [])];
    if (app.page !== "search" || !files.length) return;
    if (event.composedPath()[0].matches?.("input") && data.getData("text/plain")) return;
    event.preventDefault();
    this.take(files);
  }

  // Asks with files. They come to the pictures that are asked with already, or take their place.
  async take(files, { adds = true } = {}) {
    const { app } = this, { words } = app;
    if (!files.length) {
      app.complain(words.say("drop_unreadable"));
      return;
    }
    app.busy = true;
    app.update();
    const given = [];
    let refused = null;
    for (const file of files.slice(0, MOST)) {
      try {
        given.push({ role: "up", name: await give(app.service, file), crop: null, weight: 1 });
      } catch (error) {
        refused = error.message in words.sentences ? words.say(error.message) : error.message;
      }
    }
    if (given.length) this.ask(given, adds);
    else app.busy = Boolean(app.listing.pending);
    if (files.length > MOST) app.complain(words.say("most_pictures", { n: MOST }));
    if (refused) app.complain(refused);
  }

  ask(pictures, adds) {
    const { app } = this, typed = app.typed();
    const all = pictures.reduce(withPicture, adds ? typed : { ...typed, pictures: [] });
    const room = MOST - Math.max(typed.q ? 1 : 0, app.terms?.list.length ?? 0);
    if (all.pictures.length > room) app.complain(app.words.say("most_pictures", { n: room }));
    app.go(but(all, { pictures: all.pictures.slice(0, room), sort: "" }));
  }

  view() {
    const { held, app } = this, { words } = app;
    if (!held || held === "more") return nothing;
    const zone = (deed, name, sentence) => html`<div class=${held === deed ? "here" : ""}>${icon(name)}<span>${words.say(sentence)}</span></div>`;
    return html`<div class="drop">${app.address.pictures.length
      ? html`${zone("search", "search", "drop_instead")}${zone("add", "image-plus", "drop_add")}` : zone("search", "image-plus", "drop_here")}</div>`;
  }
}
