// A box drawn on the open picture, to search with what is in it. It is kept in pixels of what is shown of the picture.
const LEAST_DRAWN = 8; // pixels of the screen on each side: less was a click
const KEY_STEP = 0.02; // of the longer side
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CORNERS = { nw: [1, 1], ne: [0, 1], sw: [1, 0], se: [0, 0] }; // which shares of the box the opposite corner lies at

const within = (value, most) => Math.min(most, Math.max(0, value));

// Until the person has drawn, the box in the middle only says what to do: a drag that begins in it draws another.
function startCrop(part, data, box) {
  if (part.crop) stopCrop(part);
  const { width, height, labels } = data;
  const crop = (part.crop = { data, drawn: Boolean(box), box: box ?? { x: width / 4, y: height / 4, width: width / 2, height: height / 2 } });
  const view = part.dialog.querySelector(".view");
  crop.outline = h("div", { class: "outline", role: "application", tabindex: 0, "aria-label": labels.crop_box, "data-key": "outline" },
    Object.keys(CORNERS).map((name) => h("i", { class: `corner ${name}`, "data-corner": name })));
  crop.size = h("span", { class: "size", "aria-live": "polite" });
  crop.layer = h("div", { class: "crop" }, crop.outline);
  crop.tools = h("div", { class: "crop-tools", role: "group", "aria-label": labels.crop }, h("p", null, labels.crop_hint), crop.size,
    h("div", { class: "ways" },
      h("button", { type: "button", class: "button", "data-key": "cancel crop", onclick: () => stopCrop(part) }, labels.cancel),
      h("button", { type: "button", class: "button main", "data-key": "search crop", onclick: () => searchCrop(part) }, icon("search"), labels.crop_search)));
  view.querySelector(".frame").append(crop.layer);
  view.firstChild.after(crop.tools);
  view.classList.add("cropping");
  followPointer(crop);
  place(crop, crop.box);
  fit(part);
  part.dialog.scrollTo({ top: 0 });
  crop.outline.focus({ preventScroll: true });
}

function stopCrop(part) {
  const { layer, tools } = part.crop;
  part.crop = null;
  layer.remove();
  tools.remove();
  part.dialog.querySelector(".view")?.classList.remove("cropping");
  fit(part);
  part.dialog.querySelector("[data-key=crop]")?.focus({ preventScroll: true });
}

function place(crop, box) {
  const { width, height } = crop.data;
  crop.box = box;
  crop.outline.classList.toggle("suggested", !crop.drawn);
  const shares = { left: box.x / width, top: box.y / height, width: box.width / width, height: box.height / height };
  Object.entries(shares).forEach(([name, share]) => crop.outline.style.setProperty(name, `${100 * share}%`));
  const whole = wholePixels(crop);
  crop.size.textContent = `${whole.width} × ${whole.height}`;
}

function moved(crop, box, x, y) {
  const { width, height } = crop.data;
  return { ...box, x: within(box.x + x, width - box.width), y: within(box.y + y, height - box.height) };
}

function wholePixels({ box, data }) {
  const [x, y] = [within(Math.round(box.x), data.width - 1), within(Math.round(box.y), data.height - 1)];
  const side = (from, size, most) => Math.max(1, Math.min(most, Math.round(from + size)) - Math.round(from));
  return { x, y, width: side(box.x, box.width, data.width), height: side(box.y, box.height, data.height) };
}

function followPointer(crop) {
  const { layer, outline, data } = crop;
  let drag = null;
  const point = (event) => {
    const seen = layer.getBoundingClientRect();
    return {
      x: within(((event.clientX - seen.left) / seen.width) * data.width, data.width),
      y: within(((event.clientY - seen.top) / seen.height) * data.height, data.height),
    };
  };
  layer.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || drag) return;
    event.preventDefault();
    layer.setPointerCapture(event.pointerId);
    outline.focus({ preventScroll: true });
    const from = point(event), before = crop.box, corner = CORNERS[event.target.dataset.corner];
    const opposite = corner && { x: before.x + corner[0] * before.width, y: before.y + corner[1] * before.height };
    const moves = !corner && crop.drawn && outline.contains(event.target);
    drag = { id: event.pointerId, from, before, drawn: crop.drawn, anchor: moves ? null : opposite ?? from };
  });
  layer.addEventListener("pointermove", (event) => {
    if (drag?.id !== event.pointerId) return;
    const to = point(event), { anchor, from, before } = drag;
    crop.drawn = true;
    place(crop, anchor
      ? { x: Math.min(anchor.x, to.x), y: Math.min(anchor.y, to.y), width: Math.abs(to.x - anchor.x), height: Math.abs(to.y - anchor.y) }
      : moved(crop, before, to.x - from.x, to.y - from.y));
  });
  const end = (event) => {
    if (drag?.id !== event.pointerId) return;
    const scale = layer.getBoundingClientRect().width / data.width;
    const isClick = drag.anchor && Math.min(crop.box.width, crop.box.height) * scale < LEAST_DRAWN;
    if (isClick || event.type === "pointercancel") {
      crop.drawn = drag.drawn;
      place(crop, drag.before);
    }
    drag = null;
  };
  layer.addEventListener("pointerup", end);
  layer.addEventListener("pointercancel", end);
}

// While a part is drawn the keys are for it, wherever the focus is.
function cropKey(part, event) {
  const { crop } = part;
  const { width, height } = crop.data;
  const way = ARROWS[event.key];
  if (event.altKey || event.metaKey || event.ctrlKey) return;
  if (event.key === "Escape") {
    event.preventDefault();
    stopCrop(part);
  } else if (event.key === "Enter" && event.target === crop.outline) {
    event.preventDefault();
    searchCrop(part);
  } else if (way) {
    event.preventDefault();
    const step = Math.max(1, KEY_STEP * Math.max(width, height));
    const [x, y] = way.map((one) => one * step);
    const { box } = crop;
    crop.drawn = true;
    place(crop, event.shiftKey ? {
      ...box,
      width: Math.min(width - box.x, Math.max(Math.min(step, width), box.width + x)),
      height: Math.min(height - box.y, Math.max(Math.min(step, height), box.height + y)),
    } : moved(crop, box, x, y));
  }
}

function searchCrop(part) {
  const { data } = part.crop;
  const box = wholePixels(part.crop);
  const asked = new URLSearchParams(data.crop.href);
  asked.append("like", `${data.id}@${[data.crop.left + box.x, data.crop.top + box.y, box.width, box.height].join(",")}`);
  close(part);
  part.go(`?${asked}`);
}
