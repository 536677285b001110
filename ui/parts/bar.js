const MAX_SIDE = 1280; // a picture is made smaller here: encoders look at far less
const MAX_RAW_BYTES = 20_000_000;
const THEME = "xuntu-theme";

function setUp(part) {
  const { root } = part;
  const ui = (part.ui = {
    name: link("?", { class: "name" }),
    status: h("div", { class: "status" }),
    langs: h("nav", { class: "langs" }),
    theme: h("button", { type: "button", class: "round theme", onclick: turnTheme }, icon("theme")),
    input: h("input", { type: "search", name: "q", autocomplete: "off", enterkeyhint: "search", maxlength: 500, spellcheck: "false" }),
    file: h("input", { type: "file", accept: "image/*,.heic,.heif,.avif,.tif,.tiff", class: "hush", tabindex: -1, "aria-hidden": "true" }),
    add: h("button", { type: "button", class: "round" }, icon("picture")),
    words: h("span"),
    chips: h("div", { class: "chips" }),
    tools: h("div", { class: "tools" }),
    note: h("p", { class: "note", role: "status" }),
    panel: h("section", { class: "panel", hidden: true }),
    drop: h("div", { class: "drop", hidden: true }, h("div", null, icon("picture"), h("span"))),
  });
  const form = h("form", { class: "ask", role: "search" }, icon("search"), ui.input, ui.file, ui.add,
    h("button", { type: "submit", class: "submit" }, ui.words, icon("search")));
  root.append(
    h("div", { class: "progress" }),
    h("header", null, ui.name, ui.status, ui.langs, ui.theme),
    form, h("div", { class: "row" }, ui.chips, ui.tools), ui.note, ui.panel, ui.drop,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sendForm(part, { text: ui.input.value });
    if (matchMedia("(hover: none)").matches) ui.input.blur();
  });
  ui.add.addEventListener("click", () => ui.file.click());
  ui.file.addEventListener("change", () => {
    give(part, ui.file.files[0]);
    ui.file.value = "";
  });
  listen(part);
  const kept = localStorage.getItem(THEME);
  if (kept) document.documentElement.dataset.xuntuTheme = kept;
}

function listen(part) {
  const { root, ui } = part;
  const detailOpen = () => document.documentElement.dataset.xuntuDetail === "open";
  const carries = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    ui.drop.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) ui.drop.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    ui.drop.hidden = true;
    give(part, event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files || [])][0];
    if (!file) return;
    event.preventDefault();
    give(part, file);
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.composedPath()[0].matches?.("input, textarea, [contenteditable]");
    if (event.key !== "/" || typing || detailOpen() || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    ui.input.focus();
    ui.input.select();
  });
  document.addEventListener("xuntu:busy", () => root.classList.add("busy"));
  document.addEventListener("xuntu:done", () => root.classList.remove("busy"));
}

function turnTheme() {
  const now = document.documentElement.dataset.xuntuTheme;
  const dark = now ? now === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.xuntuTheme = dark ? "light" : "dark";
  localStorage.setItem(THEME, dark ? "light" : "dark");
}

function sendForm(part, fields) {
  say("busy", { kind: "search" });
  part.send("form", { here: part.data.here, ...fields });
}

function encoded(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

function drawn(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = h("canvas", {
    width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)),
  });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.92);
}

// Sends a picture: made smaller where the browser can read it, as it is where only the service can.
async function give(part, file) {
  if (!file) return;
  const { labels } = part.data;
  const base = (uri) => uri.slice(uri.indexOf(",") + 1);
  const complain = (sentence) => {
    say("done");
    part.ui.note.textContent = sentence;
    part.ui.note.className = "note loud";
    part.ui.note.hidden = false;
  };
  say("busy", { kind: "search" });
  const name = file.name && !/^image\.(png|jpe?g)$/i.test(file.name) ? file.name : "";
  try {
    let bitmap = null;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      const known = /^image\//.test(file.type) || /\.(heic|heif|avif|tiff?)$/i.test(file.name);
      if (!known || file.size > MAX_RAW_BYTES) {
        complain(labels.upload_unreadable);
        return;
      }
    }
    const data = bitmap ? drawn(bitmap, MAX_SIDE) : await encoded(file);
    part.send("upload", { name, data: base(data), preview: bitmap ? drawn(bitmap, 96) : "" });
  } catch {
    complain(labels.upload_failed);
  }
}

// A part of a picture, through a window that the whole lies behind.
function cutOut({ src, window }) {
  const place = Object.fromEntries(["left", "top", "width", "height"].map((name) => [name, `${window[name]}%`]));
  return h("span", { class: "cut-out", style: { "aspect-ratio": String(window.ratio) } }, h("img", { src, alt: "", style: place }));
}

function chip(one) {
  const classes = ["chip", one.away && "away", one.picture && "has-picture", one.lost && "lost"].filter(Boolean);
  const face = one.src && one.window ? cutOut(one)
    : one.src ? h("img", { src: one.src, alt: "" }) : h("span", { class: "blank" }, icon("picture"));
  const title = [one.label, one.weight, one.title].filter(Boolean).join(" · ");
  return h("span", { class: classes.join(" "), title },
    one.picture && face,
    (one.away || one.picture) && h("span", { class: "sign" }, icon(one.away ? "minus" : "plus")),
    one.kind && h("span", { class: "kind" }, one.kind),
    h("span", { class: "words" }, one.label),
    one.only && link(one.only.href, { class: "only", "data-key": `only ${one.label}` }, one.only.label),
    link(one.href, labelled(one.remove, { "data-key": `chip ${one.label}` }), icon("close")));
}

function filterChip(one) {
  return h("span", { class: "chip filter", title: one.label },
    one.hex && h("span", { class: "dot", style: { background: one.hex } }),
    h("span", { class: "words" }, one.label),
    link(one.href, labelled(one.remove, { "data-key": `filter ${one.label}` }), icon("close")));
}

function option(one, attributes, ...children) {
  return link(one.href, { "data-key": one.label, role: "button", "aria-pressed": String(one.on), ...attributes }, ...children);
}

function panel(part, { filters, labels }) {
  const word = (one) => option(one, { class: "word" }, one.label);
  const day = (label, value, field) => h("input", {
    type: "date", class: "field", "aria-label": label, title: label, value, "data-key": field, min: "1800-01-01", max: "2999-12-31",
    onchange: (event) => {
      if (event.target.validity.valid && event.target.value !== value) sendForm(part, { [field]: event.target.value });
    },
  });
  const folder = h("input", {
    type: "text", class: "field folder", value: filters.folder, placeholder: labels.folder_hint, "aria-label": labels.filter_folder,
    "data-key": "folder", maxlength: 500, spellcheck: "false",
    onchange: (event) => sendForm(part, { path: event.target.value }),
  });
  const group = (title, ...children) => [h("h3", null, title), h("div", { class: "options" }, ...children)];
  return [
    filters.kinds.length > 0 && group(labels.filter_kind, filters.kinds.map(word)),
    group(labels.filter_shape, filters.shapes.map((one) =>
      option(one, { class: "word" }, h("span", { class: `frame ${one.shape}` }), one.label))),
    group(labels.filter_colour, filters.colours.map((one) =>
      option(one, labelled(one.label, { class: "swatch", style: { background: one.hex } })))),
    group(labels.filter_format, filters.formats.map(word)),
    group(labels.filter_width, filters.widths.map(word)),
    group(labels.filter_duplicates, word(filters.duplicates)),
    filters.sure.length > 0 && group(labels.filter_sure, filters.sure.map((one) =>
      option(one, { class: "word", "data-key": `sure ${one.label}` }, one.label))),
    filters.sure_seen !== "" && h("p", { class: "quiet" }, filters.sure_seen),
    h("h3", null, labels.filter_folder), folder,
    h("h3", null, labels.filter_taken),
    h("div", { class: "dates" }, day(labels.date_from, filters.from, "taken_from"), h("span", { class: "quiet" }, "–"),
      day(labels.date_to, filters.to, "taken_to")),
  ].flat();
}

function seal() {
  const mark = icon("search");
  mark.setAttribute("viewBox", "0 0 32 32");
  mark.innerHTML = '<rect width="32" height="32" rx="7" fill="var(--x-accent)" stroke="none"/>' +
    '<g stroke="var(--x-accent-ink)" stroke-width="2.5"><circle cx="14" cy="14" r="6.4"/><path d="m18.8 18.8 5.4 5.4"/>' +
    '<path d="m9.8 16 2.9-3.2 2.2 2 1.6-1.6 2 2.4" stroke-width="1.5"/></g>';
  return mark;
}

function render(part, data) {
  const { ui } = part;
  const { labels } = data;
  document.documentElement.lang = labels.html_lang;
  ui.name.setAttribute("href", data.home);
  fill(ui.name, seal(), h("b", null, labels.title), h("span", null, labels.subtitle));
  fill(ui.status, ...(data.status ? [data.status.count, data.status.encoder, data.status.updated] : []).map((one) => h("span", null, one)));
  ui.langs.setAttribute("aria-label", labels.language);
  fill(ui.langs, data.langs.map((one) => link(one.href,
    { lang: one.lang, "aria-current": one.on ? "true" : null, "data-key": one.lang }, one.name)));
  Object.entries(labelled(labels.theme)).forEach(([name, value]) => ui.theme.setAttribute(name, value));
  Object.entries(labelled(`${labels.add_picture}. ${labels.drop_hint}`)).forEach(([name, value]) => ui.add.setAttribute(name, value));
  ui.input.placeholder = matchMedia("(max-width: 640px)").matches ? labels.placeholder_short : labels.placeholder;
  ui.input.setAttribute("aria-label", labels.search_label);
  ui.input.title = labels.query_help;
  if (part.text !== data.text) ui.input.value = part.text = data.text;
  ui.words.textContent = labels.search;
  ui.drop.querySelector("span").textContent = labels.drop_here;
  fill(ui.chips, data.chips.map(chip), data.active.map(filterChip));
  const toggle = h("button", {
    type: "button", "data-key": "filters", "aria-expanded": String(!ui.panel.hidden),
    onclick: (event) => {
      ui.panel.hidden = !ui.panel.hidden;
      event.currentTarget.setAttribute("aria-expanded", String(!ui.panel.hidden));
    },
  }, icon("filter"), labels.filters);
  const looks = h("nav", { class: "looks", title: labels.match_help, "aria-label": labels.match }, data.matches.map((one) =>
    link(one.href, { "aria-current": one.on ? "true" : null, "data-key": `match ${one.label}` }, one.label)));
  fill(ui.tools, looks, toggle, data.clear && link(data.clear, { "data-key": "clear" }, labels.clear));
  ui.note.className = "note";
  ui.note.textContent = data.note || "";
  ui.note.hidden = !data.note;
  fill(ui.panel, panel(part, data));
}

export default function (component) {
  const part = connect(component, setUp);
  part.data = component.data;
  render(part, component.data);
}
