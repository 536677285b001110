// The pictures of a search or of the library, fetched block by block where someone looks.
import { asks, body } from "./address.js";

export const BLOCK = 60;
const MOST_AT_ONCE = 4; // blocks that are asked for at the same time
const MOST_WAITING = 6; // which whoever looks on has no use for: the latest come first

export class Results {
  constructor(service, address, { onChange }) {
    Object.assign(this, { service, address, onChange, blocks: new Map(), waiting: [], coming: 0, total: 0, answer: null, error: null, open: false });
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
    return this.block(Math.floor(place / BLOCK))?.[place % BLOCK];
  }

  // The hits of a block, null while they are not there.
  block(number) {
    if (!this.total && this.nearest.length) return this.nearest.slice(number * BLOCK, (number + 1) * BLOCK);
    return this.blocks.get(number)?.hits ?? null;
  }

  placeOf(id) {
    if (!this.total) return this.nearest.findIndex((hit) => hit.id === id);
    for (const [number, block] of this.blocks) {
      const place = block.hits?.findIndex((hit) => hit.id === id) ?? -1;
      if (place >= 0) return number * BLOCK + place;
    }
    return -1;
  }

  // Sees to it that the blocks of these places are there or on their way, before those that were needed earlier.
  need(from, to) {
    const [first, last] = [from, Math.min(to, this.total - 1)].map((place) => Math.floor(place / BLOCK));
    const missing = Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => first + place).filter((number) => !this.blocks.has(number));
    if (!missing.length) return;
    this.waiting = [...missing, ...this.waiting.filter((number) => !missing.includes(number))].slice(0, Math.max(MOST_WAITING, missing.length));
    this.loadWaiting();
  }

  loadWaiting() {
    while (this.waiting.length && this.coming < MOST_AT_ONCE) {
      const number = this.waiting.shift();
      if (this.blocks.has(number)) continue;
      this.coming += 1;
      this.load(number).catch((error) => {
        if (error.name === "AbortError") return;
        this.blocks.delete(number);
        this.error = error;
        this.onChange(this);
      }).finally(() => {
        this.coming -= 1;
        this.loadWaiting();
      });
    }
  }

  async load(number) {
    const block = { hits: null };
    this.blocks.set(number, block);
    const asked = { ...this.query, k: BLOCK, offset: number * BLOCK, ...(number === 0 && this.asked && { count_likely: true }) };
    const answer = await this.service.askWithFacts(asked, this.stopper.signal);
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
