// Which picture is open: the address names it, and the list that it was opened from gives its neighbours.
import { write } from "./address.js";

const WRITE_MS = 80; // after the last turn: browsers refuse addresses that change with every press of a held key

export class Opening {
  constructor(app) {
    this.app = app;
  }

  // Opens the picture at a place of what is listed.
  open(place) {
    const { app } = this, hit = app.results.at(place);
    if (!hit) return;
    app.rememberPlace();
    this.push(hit);
    app.picture.show(app.results, place);
  }

  // Opens one of a few others, such as similar ones; these are its neighbours then.
  openAmong(hits, hit) {
    this.app.picture.dismiss();
    this.push(hit);
    this.app.picture.show({ length: hits.length, at: (place) => hits[place] }, hits.indexOf(hit));
  }

  push(hit) {
    const { app } = this;
    app.address = { ...app.address, id: hit.id, part: null, t: hit.part?.at ?? null };
    history.pushState({ xuntu: true, opened: true }, "", write(app.address));
  }

  // Shows the picture that the address names, or none.
  async follow() {
    const { app } = this, { id } = app.address;
    if (id === null) {
      app.picture.dismiss();
      return;
    }
    if (app.picture.isOpen && app.picture.hit?.id === id) return;
    const place = app.results?.placeOf(id) ?? -1;
    if (place >= 0) {
      app.picture.show(app.results, place);
      return;
    }
    try {
      const detail = await app.service.ask(`images/${id}`, { keep: true });
      if (app.address.id !== id) return;
      const hit = { ...detail, reasons: [], part: null, moments: [], duplicates: 0, fields: { modified: detail.modified_at, bytes: detail.bytes } };
      app.picture.details.set(id, detail);
      app.picture.show({ length: 1, at: () => hit }, 0);
    } catch (error) {
      app.complain(`${app.words.say("gone_title")}: ${error.message}`);
      this.leave();
    }
  }

  leave() {
    const { app } = this;
    app.address = { ...app.address, id: null, part: null, t: null };
    history.replaceState({ xuntu: true }, "", write(app.address) || location.pathname);
  }

  // Another picture is shown: the address follows, once the person stays.
  turned(hit) {
    const { app } = this;
    if (app.address.id === hit.id) return;
    app.address = { ...app.address, id: hit.id, part: null, t: hit.part?.at ?? null };
    clearTimeout(this.timer);
    this.timer = setTimeout(() => history.replaceState({ ...history.state, xuntu: true }, "", write(app.address)), WRITE_MS);
  }

  // Nothing is open any more, by whatever way.
  ended() {
    clearTimeout(this.timer);
  }

  // The person has closed it: the address goes back to the list, and the focus to the picture in it.
  closed(hit, place) {
    const { app } = this;
    if (history.state?.opened) {
      app.address = { ...app.address, id: null, part: null, t: null };
      history.back();
    } else this.leave();
    if (hit && app.results?.at(place)?.id === hit.id) {
      app.grid.focused = place;
      app.grid.scrollTo(place, { focus: true });
    }
    app.boards.settle();
    app.update();
  }
}
