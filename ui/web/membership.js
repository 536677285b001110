// On which boards pictures are. It is asked for what is on the screen, so that it is right however much is on boards.
export const FAVOURITES = "favourites";

const ASKED_AT_ONCE = 1_000;
const KEPT = 20_000;
const GATHER_MS = 40;

export class Membership {
  // `onNews` is told when what is shown is another; `onKept` gets the board of favourites as a change has left it.
  constructor(service, { onNews, onKept, onError }) {
    Object.assign(this, { service, onNews, onKept, onError, on: new Map(), wanted: new Map(), sent: new Map(), changed: new Map(), fresh: new Set(), queue: new Set(), steps: 0, off: false });
    addEventListener("pagehide", () => this.flush());
  }

  has(id, board) {
    if (board === FAVOURITES && this.wanted.has(id)) return this.wanted.get(id);
    return this.on.get(id)?.has(board) ?? false;
  }

  isLoved(id) {
    return this.has(id, FAVOURITES);
  }

  // The ids of the boards that have a picture, as far as it is known.
  boardsOf(id) {
    const others = [...(this.on.get(id) ?? [])].filter((one) => one !== FAVOURITES);
    return this.isLoved(id) ? [FAVOURITES, ...others] : others;
  }

  // What is known of some pictures, or of all, may be old: it is shown until it is asked for again.
  doubt(ids = null) {
    this.off = false;
    if (!ids) this.fresh.clear();
    for (const id of ids ?? []) {
      this.steps += 1;
      this.changed.set(id, this.steps); // what was asked for before this says nothing of it
      this.fresh.delete(id);
    }
  }

  need(ids) {
    if (this.off) return;
    for (const id of ids) if (!this.fresh.has(id) && !this.wanted.has(id)) this.queue.add(id);
    if (this.queue.size && !this.timer) this.timer = setTimeout(() => this.ask(), GATHER_MS);
  }

  async ask() {
    const ids = [...this.queue].slice(0, ASKED_AT_ONCE), began = this.steps;
    ids.forEach((id) => this.queue.delete(id));
    try {
      const { boards } = await this.service.ask("boards/find", { method: "POST", body: { ids } });
      const told = ids.filter((id) => (this.changed.get(id) ?? 0) <= began && !this.wanted.has(id));
      const found = new Map(told.map((id) => [id, new Set()]));
      boards.forEach((board) => board.ids.forEach((id) => found.get(id)?.add(board.id)));
      found.forEach((own, id) => {
        this.on.delete(id); // so that the last that were asked for are kept longest
        this.on.set(id, own);
        this.fresh.add(id);
      });
      this.shrink();
    } catch {
      this.off = true; // boards that cannot be read are not asked for at every turn
      this.queue.clear();
    }
    this.timer = null;
    this.need([]);
    this.onNews();
  }

  shrink() {
    for (const id of this.on.keys()) {
      if (this.on.size <= KEPT) return;
      [this.on, this.fresh, this.changed].forEach((one) => one.delete(id));
    }
  }

  // Marks a picture as a favourite, or takes the mark away. What is clicked meanwhile is sent after it, so that the last
  // click holds.
  async favour(id) {
    const goesOn = this.wanted.has(id), before = this.isLoved(id);
    this.wanted.set(id, !before);
    this.onNews();
    if (goesOn) return;
    let kept = before, board = null;
    try {
      while (this.wanted.get(id) !== kept) {
        const to = this.wanted.get(id);
        this.sent.set(id, to);
        board = await this.service.ask(...request(id, to));
        kept = to;
      }
    } catch (error) {
      this.onError(error);
    }
    const own = new Set(this.on.get(id));
    own[kept ? "add" : "delete"](FAVOURITES);
    this.on.set(id, own);
    this.wanted.delete(id);
    this.sent.delete(id);
    this.doubt([id]);
    if (board) this.onKept(board, id);
    this.onNews();
  }

  // The page is left while a click waits for the one before.
  flush() {
    for (const [id, to] of this.wanted) {
      if (this.sent.get(id) !== to) this.service.ask(...request(id, to)).catch(() => {});
    }
  }
}

function request(id, loved) {
  return [`boards/${FAVOURITES}/pictures${loved ? "" : "/remove"}`, { method: "POST", body: { ids: [id] }, keepalive: true }];
}
