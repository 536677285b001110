// The words of the page in a language, and numbers, dates and sizes as its readers write them.
const LOCALES = { zh: "zh-CN", en: "en-GB" };

export class Words {
  constructor(lang, sentences) {
    this.lang = lang;
    this.locale = LOCALES[lang] ?? lang;
    this.sentences = sentences;
    this.plurals = new Intl.PluralRules(this.locale);
    this.formats = new Map(); // making one takes longer than all else that is done for a tile
  }

  format(Kind, options = {}) {
    const key = `${Kind.name} ${JSON.stringify(options)}`;
    if (!this.formats.has(key)) this.formats.set(key, new Kind(this.locale, options));
    return this.formats.get(key);
  }

  // A sentence by its name, with its braces filled in; of one in several forms, that of the number `n`.
  say(name, values = {}) {
    let sentence = this.sentences[name] ?? name;
    if (typeof sentence === "object") sentence = sentence[this.plurals.select(values.n)] ?? sentence.other;
    return sentence.replace(/\{(\w+)\}/g, (whole, key) => {
      if (!(key in values)) return whole;
      return typeof values[key] === "number" ? this.number(values[key]) : String(values[key]);
    });
  }

  // A name out of a table of the sentences, such as that of a colour; the key itself where there is none.
  name(table, key) {
    return this.sentences[table]?.[key] ?? key;
  }

  number(value) {
    return this.format(Intl.NumberFormat).format(value);
  }

  percent(share) {
    return this.format(Intl.NumberFormat, { style: "percent" }).format(share);
  }

  size(bytes) {
    const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
    let [value, place] = [bytes, 0];
    while (value >= 999.5 && place < units.length - 1) [value, place] = [value / 1000, place + 1];
    const maximumFractionDigits = place && value < 10 ? 1 : 0;
    return this.format(Intl.NumberFormat, { style: "unit", unit: units[place], unitDisplay: "short", maximumFractionDigits }).format(value);
  }

  // A day or a moment in ISO 8601. With a zone it is told in the reader's; without it is a camera's clock, and stays.
  moment(iso) {
    const found = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d))?/.exec(iso ?? "");
    if (!found) return iso ?? "";
    const [, year, month, day, hour, minute] = found;
    const zoned = hour && /(Z|[+-]\d\d:?\d\d)$/.test(iso);
    const at = zoned ? new Date(iso) : new Date(+year, month - 1, +day, hour ?? 0, minute ?? 0);
    const dated = { year: "numeric", month: this.lang === "zh" ? "long" : "short", day: "numeric" };
    return this.format(Intl.DateTimeFormat, hour ? { ...dated, hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : dated).format(at);
  }

  // "2019-05" or "2019" as a reader writes it.
  month(value) {
    const [year, month] = value.split("-").map(Number);
    if (!year) return value;
    const style = month ? { year: "numeric", month: "long" } : { year: "numeric" };
    return this.format(Intl.DateTimeFormat, style).format(new Date(year, (month || 1) - 1, 1));
  }

  // "Pimlico, 伦敦 London" as a reader calls it; what has one name keeps it.
  place(value) {
    const parts = String(value ?? "").split(", ").map((one) => /^([\u3400-\u9fff·・]+) ([^\u3400-\u9fff]+)$/.exec(one) ?? [one, one, one]);
    return parts.map((one) => one[this.lang === "zh" ? 1 : 2]).join(this.between);
  }

  // What stands between the parts of a place.
  get between() {
    return this.lang === "zh" ? " · " : ", ";
  }

  ago(iso, now = Date.now()) {
    const minutes = Math.round((new Date(iso) - now) / 60_000);
    const told = this.format(Intl.RelativeTimeFormat, { numeric: "auto" });
    if (minutes > -60) return told.format(Math.min(0, minutes), "minute");
    if (minutes > -60 * 24) return told.format(Math.round(minutes / 60), "hour");
    if (minutes > -60 * 24 * 30) return told.format(Math.round(minutes / 60 / 24), "day");
    return this.moment(iso.slice(0, 10));
  }
}

// 83.4 -> "1:23", 3723 -> "1:02:03".
export function clock(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

// The last part of a path; of an address without its parameters.
export function fileName(path) {
  const whole = /^https?:/.test(path) ? path.split("?")[0].replace(/\/+$/, "") : path;
  return whole.slice(whole.lastIndexOf("/") + 1) || path;
}
