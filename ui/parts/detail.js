function setUp(part) {
  const { root } = part;
  part.dialog = h("dialog", { tabindex: -1 });
  root.append(part.dialog);
  part.dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    if (part.crop) stopCrop(part);
    else if (part.data?.close) leave(part);
  });
  part.dialog.addEventListener("keydown", (event) => {
    if (part.crop) {
      cropKey(part, event);
      return;
    }
    const way = { ArrowLeft: part.data?.previous, ArrowRight: part.data?.next }[event.key];
    if (!way || event.altKey || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    turn(part, way);
  });
  document.addEventListener("xuntu:open", (event) => {
    part.data = part.crop = null;
    fill(part.dialog, h("div", { class: "sheet" }, h("div", { class: "view" }, large(event.detail, event.detail.src)), h("aside")));
    open(part);
    fit(part);
  });
  new ResizeObserver(() => fit(part)).observe(part.dialog);
}

function open(part) {
  if (!part.dialog.open) part.dialog.showModal();
  document.documentElement.dataset.xuntuDetail = "open";
  part.dialog.focus();
}

function close(part) {
  part.crop = null;
  if (part.dialog.open) part.dialog.close();
  delete document.documentElement.dataset.xuntuDetail;
}

function leave(part) {
  const { close: href } = part.data;
  close(part);
  part.go(href, "detail");
}

// Shows at once what is already on the page of the next picture; the large one follows.
function turn(part, href) {
  const id = Number(new URLSearchParams(href).get("id"));
  const picture = part.dialog.querySelector(".frame img");
  if (picture && small.has(id)) picture.style.opacity = "0.35";
  part.data = { ...part.data, previous: null, next: null };
  part.go(href, "detail");
}

function large(one, src) {
  const mark = (place) => h("i", { class: "mark", title: place.label, style: at(place) });
  const frame = h("div", { class: "frame" }, src ? h("img", { src, alt: one.name }) : h("span", { class: "blank" }, icon("picture")),
    (one.marks ?? []).map(mark), // a tile that was just clicked has none yet
    one.region && h("i", { class: "mark region", title: one.region.label, role: "img", "aria-label": one.region.label, style: at(one.region) }));
  if (one.film?.plays) frame.append(films.has(one.id) ? player(one) : playButton(one));
  const whole = one.overview;
  return h("div", { class: `large${whole ? (whole.height > whole.width ? " tall" : " wide") : ""}` },
    h("div", { class: "room", "data-width": one.width, "data-height": one.height }, frame), whole && overview(whole));
}

// Videos that were fetched, as addresses of this page: a moment of one is gone to at once. The oldest is let go of.
const films = new Map();

async function keep(id, film) {
  const blob = await (await fetch(film.src)).blob();
  if (films.size > 1) {
    const [oldest, url] = films.entries().next().value;
    URL.revokeObjectURL(url);
    films.delete(oldest);
  }
  films.set(id, URL.createObjectURL(blob));
}

function playButton(one) {
  const button = h("button", labelled(one.film.play, { type: "button", class: one.film.is_clip ? "play clip" : "play", "data-key": "play" }), icon("play"));
  button.addEventListener("click", () => {
    button.setAttribute("aria-disabled", "true");
    button.replaceChildren(h("span", null, one.labels.fetching_film));
    one.ask();
  });
  return button;
}

function player(one) {
  const video = h("video", { controls: true, preload: "metadata", playsinline: true, "aria-label": one.name, "data-key": "film" });
  video.addEventListener("loadedmetadata", () => { video.currentTime = one.film.at; }, { once: true });
  video.addEventListener("error", () => video.replaceWith(h("p", { class: "unplayed", role: "alert" }, one.labels.not_played)));
  video.src = films.get(one.id);
  video.play?.().catch(() => {}); // where a page may not begin to play, the person does
  return video;
}

function moments(data) {
  const moment = (one) => h("li", null, link(one.href, {
    class: "near", "data-kind": "detail", title: one.label, "data-key": `moment ${one.label}`, "aria-current": one.shown ? "true" : null,
    style: { width: `${Math.round(60 * Math.min(2.2, Math.max(0.6, one.width / one.height)))}px` },
  }, one.src && h("img", { src: one.src, alt: "" }), h("span", { class: "time" }, one.label)));
  return data.film?.moments.length > 1 && h("div", { class: "strip moments" },
    h("h3", null, data.labels.moments), h("ul", null, data.film.moments.map(moment)));
}

const at = (place) => Object.fromEntries(["left", "top", "width", "height"].map((name) => [name, `${place[name]}%`]));

// All of a long picture, beside the part of it that is shown: each part is a link.
function overview(whole) {
  const part = (one) => link(one.href, labelled(one.label, {
    class: one.shown ? "shown" : "", "data-kind": "detail", "data-key": one.label, "aria-current": one.shown ? "true" : null,
    style: at(one),
  }));
  const shape = { "aspect-ratio": `${whole.width} / ${whole.height}` };
  if (whole.width > whole.height) shape.width = `min(100%, ${(120 * whole.width) / whole.height}px)`;
  return h("nav", { class: "overview", style: shape },
    whole.src && h("img", { src: whole.src, alt: "" }), whole.parts.map(part));
}

// The frame has the shape of the picture before its bytes are there; a small picture is not blown up far.
function fit(part) {
  const box = part.dialog.querySelector(".large .room");
  if (!box) return;
  const scale = Math.min(box.clientWidth / box.dataset.width, box.clientHeight / box.dataset.height, 1.5);
  const frame = box.querySelector(".frame");
  frame.style.width = `${Math.max(1, Math.round(box.dataset.width * scale))}px`;
  frame.style.height = `${Math.max(1, Math.round(box.dataset.height * scale))}px`;
}

function strip(part, data) {
  const near = (one) => h("li", null, link(one.href, {
    class: "near", "data-kind": "detail", title: one.title, "aria-label": one.title, "data-key": `near ${one.id}`,
    style: { width: `${Math.round(84 * Math.min(2.2, Math.max(0.6, one.width / one.height)))}px` },
  }, one.src && h("img", { src: one.src, alt: "" })));
  return data.similar.length > 0 && h("div", { class: "strip" },
    h("h3", null, data.labels.similar, link(data.all_similar, { "data-close": true }, data.labels.all_similar)),
    h("ul", null, data.similar.map(near)));
}

function palette(data) {
  const part = (one) => {
    const attributes = labelled(one.label, { style: { "flex-grow": String(Math.max(0.02, one.share)), background: one.hex } });
    return one.href ? link(one.href, { ...attributes, "data-close": true }) : h("span", attributes);
  };
  return data.colours.length > 0 && h("div", { class: "palette", "aria-label": data.labels.palette }, data.colours.map(part));
}

function side(part, data) {
  const { labels } = data;
  const download = h("button", { type: "button", class: "button", "data-key": "download" }, icon("download"), h("span", null, labels.download));
  download.addEventListener("click", () => {
    download.setAttribute("aria-disabled", "true");
    download.lastChild.textContent = labels.downloading;
    part.send("download", data.id);
  });
  const crop = data.crop && h("button", { type: "button", class: "button", "data-key": "crop", onclick: () => startCrop(part, data, data.crop.box) }, icon("crop"), labels.crop);
  return h("aside", null,
    h("div", { class: "top" }, closeButton(part, labels)),
    h("h2", null, h("span", { class: "rest", title: data.name }, data.name)),
    h("p", { class: "folder" }, data.folder_href ? link(data.folder_href, { "data-close": true }, data.folder) : data.folder),
    data.reasons.length > 0 && h("dl", { class: "reasons", "aria-label": labels.found_by },
      data.reasons.flatMap((one) => [h("dt", null, one.label), h("dd", null, one.text)])),
    data.caption && h("p", { class: "caption" }, data.caption),
    data.tags.length > 0 && h("ul", { class: "tags", "aria-label": labels.tags },
      data.tags.map((one) => h("li", null, link(one.href, { "data-close": true }, one.label)))),
    h("dl", null, data.facts.flatMap((fact) => [h("dt", null, fact.label), h("dd", null, fact.value)])),
    palette(data),
    h("div", { class: "deeds" },
      data.more && link(data.more, { class: "button", "data-close": true }, icon("plus"), labels.more_like),
      data.less && link(data.less, { class: "button", "data-close": true }, icon("minus"), labels.less_like),
      crop,
      data.original
        ? h("a", { class: "button", href: data.original, target: "_blank", rel: "noopener noreferrer" }, icon("download"), h("span", null, labels.original))
        : download,
      copyButton(labels.copy_name, labels.copied, data.name, { "data-key": "copy" })),
    data.film?.sorry && h("p", { class: "sorry" }, data.film.sorry),
    [data.download, data.played].map((one) => one?.error && h("p", { class: "sorry", role: "alert" }, one.error)));
}

function closeButton(part, labels) {
  return h("button", labelled(labels.close, { type: "button", class: "round", "data-key": "close", onclick: () => leave(part) }), icon("close"));
}

function turnButton(part, href, name, label) {
  return href && h("button", labelled(label, { type: "button", class: `turn ${name}`, "data-key": name, onclick: () => turn(part, href) }),
    icon(name === "previous" ? "left" : "right"));
}

async function save(download) {
  const blob = await (await fetch(download.src)).blob();
  const url = URL.createObjectURL(blob);
  const anchor = h("a", { href: url, download: download.name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function render(part, data) {
  const { labels } = data;
  if (data.error) {
    fill(part.dialog, h("div", { class: "gone", role: "alert" }, h("h2", null, labels.gone_title), h("p", null, data.error),
      data.request_id && h("p", { class: "id" }, data.request_id),
      h("button", { type: "button", class: "button", onclick: () => leave(part) }, labels.close)));
    return;
  }
  const film = { ...data, ask: () => part.send("play", data.id) };
  const view = h("div", { class: "view" }, large(film, data.src || small.get(data.id)), moments(data), strip(part, data));
  view.firstChild.append(...[
    turnButton(part, data.previous, "previous", labels.previous_picture),
    turnButton(part, data.next, "next", labels.next_picture),
  ].filter(Boolean));
  fill(part.dialog, h("div", { class: "sheet" }, view, side(part, data)));
  part.dialog.setAttribute("aria-label", data.name);
}

function show(part, data) {
  render(part, data);
  open(part);
  fit(part);
}

const sameShown = (one, other) => one.width === other.width && one.crop?.left === other.crop?.left && one.crop?.top === other.crop?.top;

export default function (component) {
  const part = connect(component, setUp);
  const { data } = component;
  part.data = data;
  if (data.labels) {
    const drawn = part.crop?.data.id === data.id ? part.crop : null;
    part.crop = null;
    render(part, data);
    open(part);
    fit(part);
    if (drawn && !data.error) startCrop(part, data, sameShown(drawn.data, data) && drawn.drawn ? drawn.box : null);
    if (data.download?.src) save(data.download);
    if (data.played?.src) keep(data.id, data.played).then(() => part.data === data && show(part, data));
  } else {
    close(part);
    fill(part.dialog);
  }
  say("done");
}
