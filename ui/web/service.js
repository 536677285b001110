// The REST API, asked through the page's own address, and whether it answers at the moment.
const PROBE_MS = 2_000;
const MOST_ANSWERS = 60;
const TRIES = 3;
const SURE_FACTS = ["modified", "bytes"]; // what every library knows of its pictures
const FACTS = ["taken", "dominant", ...SURE_FACTS];

export class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail || problem?.title || String(status));
    Object.assign(this, { status, code: problem?.code ?? "", requestId: problem?.request_id ?? null, retryAfter: 0 });
  }
}

const wait = (ms, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener("abort", () => {
    clearTimeout(timer);
    reject(signal.reason);
  }, { once: true });
});

export class Service {
  constructor(base, { lang, library, onConnection }) {
    Object.assign(this, { base, lang, library, onConnection, away: false, answers: new Map(), build: "", facts: FACTS });
  }

  url(path) {
    return `${this.base}api/v1/${this.library && path !== "libraries" ? `libraries/${this.library}/` : ""}${path}`;
  }

  // The small picture of a hit. Its address changes with its content, so that the browser never asks twice.
  thumbnail(hit, size, part = hit.part && !hit.part.region ? hit.part.number : null) {
    const asked = new URLSearchParams({ size, ...(part !== null && { part }), v: `${hit.fields?.modified ?? ""}-${hit.fields?.bytes ?? this.build}` });
    return this.url(`images/${hit.id}/thumbnail?${asked}`);
  }

  // The answer to a request as JSON. `keep` remembers it for going back and for asking the same again.
  async ask(path, { method = "GET", body = null, keep = false, signal = null, ...more } = {}) {
    const said = body === null || body instanceof Blob ? body : JSON.stringify(body);
    const key = keep && `${this.lang} ${method} ${path} ${said ?? ""}`;
    if (key && this.answers.has(key)) return this.kept(key);
    const answer = await this.retried(path, { method, body: said, signal, ...more });
    if (key) this.remember(key, answer);
    return answer;
  }

  // A search with what is told of each hit; of a library without dates or colours, less.
  async askWithFacts(body, signal) {
    const ask = () => this.ask("search", { method: "POST", body: { ...body, fields: this.facts }, keep: true, signal });
    try {
      return await ask();
    } catch (error) {
      if (error.code !== "unknown_fields" || this.facts === SURE_FACTS) throw error;
      this.facts = SURE_FACTS;
      return ask();
    }
  }

  kept(key) {
    const answer = this.answers.get(key);
    this.answers.delete(key);
    this.answers.set(key, answer);
    return answer;
  }

  remember(key, answer) {
    if (answer.build && answer.build !== this.build) {
      this.answers.clear();
      this.build = answer.build;
    }
    this.answers.set(key, answer);
    if (this.answers.size > MOST_ANSWERS) this.answers.delete(this.answers.keys().next().value);
  }

  // A service that is away is waited for; one that is busy is asked again when it says so.
  async retried(path, request) {
    for (let tries = 1; ; tries += 1) {
      try {
        const answer = await this.once(path, request);
        this.heard(true);
        return answer;
      } catch (error) {
        if (request.signal?.aborted) throw error;
        const lost = !(error instanceof Refused) || error.code === "unreachable" || error.status === 504;
        this.heard(!lost);
        if (lost) await this.untilBack(request.signal);
        else if (error.status !== 503 && error.status !== 429) throw error;
        else if (tries >= TRIES) throw error;
        else await wait(Math.min(10, Math.max(0.3, error.retryAfter)) * 1000, request.signal);
      }
    }
  }

  // `keepalive`: a change of a few bytes arrives even if the page is left right after it.
  async once(path, { method, body, signal, keepalive = false, type = "application/json" }) {
    const headers = { "Accept-Language": this.lang, ...(body !== null && { "Content-Type": type }) };
    const answer = await fetch(this.url(path), { method, body, headers, signal, keepalive });
    if (answer.ok) return answer.status === 204 ? null : answer.json();
    const problem = await answer.json().catch(() => null);
    const refused = new Refused(answer.status, problem);
    refused.retryAfter = Number(answer.headers.get("Retry-After")) || 0;
    throw refused;
  }

  heard(there) {
    if (this.away === !there) return;
    this.away = !there;
    this.onConnection(this.away);
  }

  // Resolves when the service answers again; all who wait ask with one question.
  async untilBack(signal) {
    this.probing ??= this.probe().finally(() => {
      this.probing = null;
    });
    const gone = new Promise((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    await Promise.race([this.probing, gone]);
  }

  async probe() {
    for (;;) {
      await wait(PROBE_MS);
      try {
        const answer = await fetch(`${this.base}api/readyz`, { cache: "no-store" });
        if (answer.ok) break;
        if ((await answer.json().catch(() => null))?.code !== "unreachable" && answer.status !== 502 && answer.status !== 504) break;
      } catch {
        // still away
      }
    }
    this.heard(true);
  }
}
