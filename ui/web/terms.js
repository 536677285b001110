// The words of a search as the service read them, and the text that says them: one part of it is changed, the rest stays as
// it was typed.

const QUOTES = [['"', '"'], ["「", "」"], ["『", "』"]];
const MARKS = /["“”「」『』]/g;
export const AWAY = -0.5; // what a minus without a number counts
const SIGNED = /^[+＋]?(?:[\d.０-９．]+[:：])?/;

function quote(text) {
  const found = QUOTES.find((pair) => !pair.some((mark) => text.includes(mark)));
  return found ? found[0] + text + found[1] : `"${text.replace(MARKS, " ").trim()}"`;
}

// A term as it is typed. One that counts once is kept apart from other words by its sign.
export function written(text, weight, { apart = false } = {}) {
  if (weight === 1 && !apart) return text;
  const said = /[\s"“”「」『』:：]|^[-+−–\d]/.test(text) ? quote(text) : text;
  if (weight === 1) return `+${said}`;
  return weight === AWAY ? `-${said}` : `${weight}:${said}`;
}

const outside = ([start, end], [from, to]) => (to <= start || from >= end ? [[start, end]] : [[start, from], [to, end]].filter(([a, b]) => a < b));

function trimmed(chars, [from, to]) {
  let [start, end] = [from, to];
  while (start < end && /\s/.test(chars[start])) start += 1;
  while (end > start && /\s/.test(chars[end - 1])) end -= 1;
  return [start, end];
}

export class Terms {
  // `clauses` as an answer to `q` gives them.
  constructor(q, clauses) {
    const chars = [...q], all = clauses.filter((one) => one.text !== null && one.at);
    const pieces = (one) => all.filter((other) => other.source !== one.source && other.at[0] >= one.at[0] && other.at[1] <= one.at[1])
      .reduce((ranges, other) => ranges.flatMap((range) => outside(range, other.at)), [one.at])
      .map((range) => trimmed(chars, range)).filter(([from, to]) => from < to);
    this.q = q;
    this.list = all.map((one) => ({ ...one, pieces: pieces(one), said: one.text }));
    this.list.filter((one) => !one.negation && this.negations(one).length).forEach((one) => { one.said = this.typed(one); });
  }

  negations(term) {
    return this.list.filter((one) => one.negation && one.source === term.source);
  }

  // What was typed for a term with the negation in it, without its sign.
  typed(term) {
    const chars = [...this.q], whole = term.pieces.map(([from, to]) => chars.slice(from, to).join("")).join(" ");
    if (term.weight === 1 && !/^[+＋]|^1(?:\.0*)?[:：]/.test(whole)) return whole;
    return whole.replace(SIGNED, "").replace(/^["“「『](.*)["”」』]$/, "$1");
  }

  // The same with another weight of a term; 0 takes it away. What was read as a negation is written with its sign then.
  weighed(term, weight) {
    const next = Object.create(Terms.prototype);
    const goes = (one) => one === term || (one.source === term.source && one.negation && !term.negation && weight <= 0);
    const changed = { ...term, weight, negation: null, said: weight < 0 || term.negation ? term.text : term.said };
    next.list = this.list.filter((one) => !goes(one) || (one === term && weight)).map((one) => {
      if (one === term) return changed;
      return term.negation && one.source === term.source ? { ...one, negation: null, said: one.text } : one;
    });
    const apart = next.list.some((one) => one.source !== term.source && one.weight > 0);
    next.isNew = true;
    next.words = weight ? written(changed.said, weight, { apart }) : "";
    next.q = this.isNew || term.negation ? next.whole() : this.replaced(term, next.words);
    return next;
  }

  // The same change in a text that has been typed on in the meantime; where the term is no longer in it, that text.
  inTyped(typed, term, next) {
    if (typed.startsWith(this.q)) return next.q + typed.slice(this.q.length);
    const [[from, to], ...rest] = term.pieces, before = [...this.q].slice(from, to).join("");
    return before && !rest.length && !term.negation && !this.isNew ? typed.replace(before, () => next.words).split(/\s+/).join(" ").trim() : typed;
  }

  // All of it, written anew.
  whole() {
    const shown = this.list.filter((one) => !one.negation), plain = shown.filter((one) => one.weight === 1).length > 1;
    return shown.map((one, place) => written(one.said, one.weight, { apart: plain && place > 0 })).join(" ");
  }

  // All pieces of a term go; what is written instead stands where the first one was.
  replaced(term, words) {
    const chars = [...this.q], parts = [];
    let place = 0;
    term.pieces.forEach(([from, to], number) => {
      parts.push(chars.slice(place, from).join(""), number ? "" : words);
      place = to;
    });
    return [...parts, chars.slice(place).join("")].join("").split(/\s+/).join(" ").trim();
  }
}
