// What is asked, and the address that says it. The address is the only state of a search, so that it can be shared,
// opened in another tab, and gone back to.
//
//   ?q=雪山+-人&like=12&like=9@120,80,300,200*2&less=7&up=sha256-…&colour=blue&f=camera=X100V&sort=-taken&id=31&t=83.4
//
// The text is kept as it was typed; the service reads it. What stands after an @ is a part of a picture: from the left,
// from the top, width, height, in pixels of the upright one. What stands after a * is a weight;
// that of an own picture may be negative.

const SHAPES = { landscape: [1.05, null], portrait: [null, 0.95], square: [0.95, 1.05], panorama: [2, null] };
const AWAY = 0.5; // a full step away from a picture moves too far from what was asked
export const SHAPE_NAMES = Object.keys(SHAPES);
const LISTS = { formats: "format", colours: "colour" };
const SINGLES = { q: "q", folder: "folder", shape: "shape", from: "from", to: "to", place: "place", kind: "kind", lang: "lang", board: "board", view: "view", bounds: "bounds", library: "library" };
const FIELDS = {
  q: "", pictures: [], folder: "", shape: "", width: 0, from: "", to: "", place: "", kind: "", formats: [], colours: [], fields: [],
  board: "", bounds: "", view: "", library: "", lang: "", id: null, part: null, t: null,
};

// The options of a search that stand in an address, as the service declares them, and an address that asks for nothing.
let OPTIONS = [];
export let BLANK = Object.freeze(FIELDS); // eslint-disable-line import/no-mutable-exports

export function declare(options) {
  OPTIONS = options;
  BLANK = Object.freeze({ ...FIELDS, ...Object.fromEntries(options.map((one) => [one.name, one.default])) });
}

// The library that this document shows: that of every address that asks for nothing.
export function dwell(library) {
  BLANK = Object.freeze({ ...BLANK, library });
}

const PICTURE = /^([^@*]+)(?:@(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9}))?(?:\*(-?\d{1,2}(?:\.\d{1,2})?))?$/;

function readPicture(role, said) {
  const found = PICTURE.exec(said.trim());
  if (!found) return null;
  const [, name, x, y, width, height, weight] = found;
  if (role === "up" ? !/^sha256-\w+$/.test(name) : !/^\d{1,18}$/.test(name)) return null;
  const crop = x === undefined ? null : { x: +x, y: +y, width: +width, height: +height };
  if (crop && !(crop.width && crop.height)) return null;
  const counts = Number(weight ?? (role === "less" ? AWAY : 1));
  if (!counts || (counts < 0 && role !== "up")) return null;
  return { role, name, crop, weight: Math.max(-10, Math.min(10, counts)) };
}

function writePicture({ role, name, crop, weight }) {
  const part = crop ? `@${crop.x},${crop.y},${crop.width},${crop.height}` : "";
  return name + part + (weight === (role === "less" ? AWAY : 1) ? "" : `*${weight}`);
}

// The value of an option that an address says; its default where that cannot be used. Beyond the most is the most.
function readOption(option, said) {
  const last = said.at(-1) ?? "";
  if (option.list) return said;
  if (typeof option.default === "boolean") return option.default !== (last === option.changed);
  if (option.choices.length) return option.choices.includes(last) ? last : option.default;
  if (typeof option.default === "string") return last.length <= 100 ? last : option.default;
  const number = /^\d{1,9}$/.test(last) ? Number(last) : 0;
  if (!number) return option.default;
  const value = option.per_cent ? number / 100 : number;
  return option.high === null ? value : Math.min(option.high, value);
}

function writeOption(option, value) {
  if (JSON.stringify(value) === JSON.stringify(option.default)) return [];
  if (option.list) return value;
  if (typeof value === "boolean") return [option.changed];
  return [String(option.per_cent ? Math.round(100 * value) : value)];
}

export function parse(search) {
  const params = new URLSearchParams(search);
  const last = (name) => (params.getAll(name).at(-1) ?? "").trim();
  const all = (name) => [...new Set(params.getAll(name).map((one) => one.trim()).filter(Boolean))];
  const number = (name) => (/^\d{1,18}$/.test(last(name)) ? Number(last(name)) : null);
  const found = { ...BLANK };
  for (const [name, said] of Object.entries(SINGLES)) found[name] = last(said);
  for (const [name, said] of Object.entries(LISTS)) found[name] = all(said);
  if (!(found.shape in SHAPES)) found.shape = "";
  OPTIONS.forEach((option) => { found[option.name] = readOption(option, all(option.parameter)); });
  for (const role of ["up", "like", "less"]) {
    const read = all(role).map((one) => readPicture(role, one)).filter(Boolean);
    found.pictures = [...found.pictures, ...read];
  }
  found.fields = all("f").filter((one) => one.includes("=")).map((one) => [one.split("=")[0], one.slice(one.indexOf("=") + 1)]).filter(([name, value]) => name && value);
  found.width = number("width") ?? 0;
  if (!/^[a-z0-9][a-z0-9_-]{0,63}$/.test(found.library)) found.library = "";
  if (!/^-?[\d.]+(,-?[\d.]+){3}$/.test(found.bounds)) found.bounds = "";
  found.id = number("id");
  found.part = number("part");
  found.t = /^\d{1,7}(\.\d{1,3})?$/.test(last("t")) ? Number(last("t")) : null;
  return found;
}

export function write(address) {
  const params = new URLSearchParams();
  const add = (name, value) => value !== "" && value !== null && value !== 0 && value !== false && params.append(name, String(value));
  add("q", address.q);
  address.pictures.forEach((one) => add(one.role, writePicture(one)));
  for (const name of ["folder", "shape", "width", "from", "to", "place", "kind"]) add(name, address[name]);
  for (const [name, said] of Object.entries(LISTS)) address[name].forEach((one) => add(said, one));
  address.fields.forEach(([name, value]) => add("f", `${name}=${value}`));
  OPTIONS.forEach((option) => writeOption(option, address[option.name]).forEach((one) => add(option.parameter, one)));
  for (const name of ["board", "bounds", "view", "library", "lang", "id", "part", "t"]) add(name, address[name]);
  const said = params.toString().replaceAll("%40", "@").replaceAll("%2C", ",").replaceAll("%3D", "=");
  return said ? `?${said}` : "";
}

// Whether anything is looked for.
export const asks = (address) => Boolean(address.q.trim() || address.pictures.length);
// Whether some pictures are left out.
export const narrows = (address) => Boolean(conditions(address)) || Boolean(address.min_relevance) || address.hide_duplicates;

// The same search with other contents, and with no picture open unless they say so.
export const but = (address, changes) => ({ ...address, id: null, part: null, t: null, ...changes });

export function withPicture(address, picture) {
  const others = address.pictures.filter((one) => one.name !== picture.name || Boolean(one.crop) !== Boolean(picture.crop));
  return but(address, { pictures: [...others, { crop: null, weight: picture.role === "less" ? AWAY : 1, ...picture }] });
}

export function conditions(address) {
  const [low, high] = SHAPES[address.shape] ?? [null, null];
  const fields = {};
  const add = (name, value) => value && (fields[name] = [...(fields[name] ?? []), value]);
  add("place", address.place);
  add("kind", address.kind);
  address.fields.forEach(([name, value]) => add(name, value));
  const found = {
    path: address.folder, formats: address.formats, colours: address.colours, min_width: address.width,
    min_aspect: low, max_aspect: high, taken_from: address.from, taken_to: address.to, fields, board: address.board, bounds: address.bounds,
  };
  const kept = Object.entries(found).filter(([, value]) => value && (typeof value !== "object" || Object.keys(value).length));
  return kept.length ? Object.fromEntries(kept) : null;
}

function clause({ role, name, crop, weight }) {
  const asked = role === "up" ? { upload: name } : { image_id: Number(name) };
  return { ...asked, ...(crop && { crop }), weight: role === "less" ? -weight : weight };
}

// The body of a search, without what says which of its hits.
export function body(address) {
  const found = { clauses: address.pictures.map(clause) };
  if (address.q.trim()) found.q = address.q.trim();
  const where = conditions(address);
  if (where) found.where = where;
  for (const option of OPTIONS) {
    if (writeOption(option, address[option.name]).length) found[option.name] = address[option.name];
  }
  if (!asks(address)) found.sort ||= "-taken";
  return found;
}

// What two addresses must share so that the same pictures are listed.
export const listed = (address) => JSON.stringify(body(address));
