// Pictures that come and go: given ones, which the service keeps for a day, and those that are taken along.
import { SHOWN_BY_BROWSERS, download } from "./parts.js";
import { fileName } from "./words.js";

const MAX_SIDE = 1280; // encoders look at far less
const MAX_RAW_BYTES = 20_000_000;
const MAX_COPIED_PIXELS = 16_000_000;
const KNOWN = /\.(heic|heif|avif|tiff?|jxl)$/i;

function drawn(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

const toBlob = (canvas) => new Promise((resolve) => {
  canvas.toBlob(resolve, "image/jpeg", 0.92);
});

// The name under which the service keeps a picture. Rejects with the name of a sentence where it is none.
export async function give(service, file) {
  let blob = file;
  try {
    blob = await toBlob(drawn(await createImageBitmap(file), MAX_SIDE));
  } catch { // a browser that cannot read it sends it as it is
    if (!(/^image\//.test(file.type) || KNOWN.test(file.name ?? "")) || file.size > MAX_RAW_BYTES) throw new Error("upload_unreadable");
  }
  const kept = await service.ask("uploads", { method: "PUT", body: blob, type: blob.type || "application/octet-stream" });
  return kept.id;
}

// A picture that is dragged out of the page is its original: a tile, or what says by `data-drag` whose it is. Returns it, or null.
export function dragOut(app, event) {
  const path = event.composedPath();
  const tile = path.find((one) => one.classList?.contains("tile"));
  const other = path.find((one) => one.dataset?.drag)?.dataset;
  const hit = tile ? app.results?.at(Number(tile.dataset.place)) : other && { id: other.drag, path: other.name };
  if (!hit) return null;
  const whole = new URL(app.service.url(`images/${hit.id}/file`), location.href).href;
  event.dataTransfer.setData("text/uri-list", whole);
  event.dataTransfer.setData("DownloadURL", `application/octet-stream:${fileName(hit.path)}:${whole}`);
  event.dataTransfer.effectAllowed = "copyLink";
  return hit;
}

export const takeOriginal = (app, hit) => download(app.service.url(`images/${hit.id}/file`), fileName(hit.path));

async function asPng(src) {
  const image = new Image();
  image.src = src;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.naturalWidth, height: image.naturalHeight });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
}

// The picture itself, where a browser reads it and it is not too large for a clipboard; else one as large as the service makes.
export async function copyPicture(app, hit, detail) {
  const isWhole = SHOWN_BY_BROWSERS.has(detail.format) && hit.width * hit.height <= MAX_COPIED_PIXELS;
  const src = isWhole ? app.service.url(`images/${hit.id}/file`) : app.service.thumbnail(hit, 2048, 0);
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": asPng(src) })]);
    app.tell("copied");
  } catch {
    app.complain(app.words.say("not_copied"));
  }
}
