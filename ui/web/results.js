// The pictures of a search or of the library, fetched block by block where someone looks.
import { asks, body } from "./address.js";

export const BLOCK = 60;
const FACTS = ["taken", "modified", "bytes"];

export class Results {
  constructor(service, address, { onChange }) {
    Object.assign(this, { service, address, onChange, blocks: new Map(), total: 0, answer: null, error: null, open: false });
    this.asked = asks(address);
    this.query = body(address);
    this.stopper = new AbortController();
  }

  // The first block. Rejects where the service refuses the search.
  async begin() {
    try {
      this.answer = await this.load(0);
      this.total = this.answer.total;
    } finally {
      this.begun = true;
    }
    return this;
  }

  stop() {
    this.stopper.abort(new DOMException("another search has begun", "AbortError"));
  }

  // How many are listed: as far as they are likely, or all, where that cannot be told or was asked for.
  get length() {
    if (!this.total && this.nearest.length) return this.nearest.length;
    return this.endsEarly && !this.open ? this.answer.likely : this.total;
  }

  get nearest() {
    return this.answer?.nearest ?? [];
  }

  // Whether some that are listed after all others are unlikely.
  get endsEarly() {
    const { likely } = this.answer ?? {};
    return this.asked && Number.isInteger(likely) && likely > 0 && likely < this.total && !this.answer.likely_is_least;
  }

  // Whether none is likely: then all are listed, below words that say so.
  get noneLikely() {
    return this.asked && this.answer?.likely === 0 && this.total > 0;
  }

  at(place) {
    if (!this.total && this.nearest.length) return this.nearest[place];
    return this.blocks.get(Math.floor(place / BLOCK))?.hits?.[place % BLOCK];
  }

  placeOf(id) {
    if (!this.total) return this.nearest.findIndex((hit) => hit.id === id);
    for (const [number, block] of this.blocks) {
      const place = block.hits?.findIndex((hit) => hit.id === id) ?? -1;
      if (place >= 0) return number * BLOCK + place;
    }
    return -1;
  }

  // Sees to it that the blocks of these places are there or on their way.
  need(from, to) {
    for (let number = Math.floor(from / BLOCK); number <= Math.floor(to / BLOCK); number += 1) {
      if (number * BLOCK < this.total && !this.blocks.has(number)) {
        this.load(number).catch((error) => {
          if (error.name === "AbortError") return;
          this.blocks.delete(number);
          this.error = error;
          this.onChange(this);
        });
      }
    }
  }

  async load(number) {
    const block = { hits: null };
    this.blocks.set(number, block);
    const asked = { ...this.query, k: BLOCK, offset: number * BLOCK, fields: FACTS, ...(number === 0 && this.asked && { count_likely: true }) };
    const answer = await this.service.ask("search", { method: "POST", body: asked, keep: true, signal: this.stopper.signal });
    block.hits = answer.hits;
    if (number) this.onChange(this);
    return answer;
  }

  has(from, to) {
    for (let place = from; place <= to; place += 1) if (!this.at(place)) return false;
    return true;
  }

  // Resolves once all hits of these places are there.
  async fetch(from, to) {
    for (let number = Math.floor(from / BLOCK); number <= Math.floor(to / BLOCK) && number * BLOCK < this.total; number += 1) {
      if (!this.blocks.get(number)?.hits) await this.load(number);
    }
  }

  // All hits, or as many as may be, fetched where they are not there yet.
  async all(most) {
    const count = Math.min(this.length, most);
    await this.fetch(0, count - 1);
    return Array.from({ length: count }, (_, place) => this.at(place)).filter(Boolean);
  }
}
