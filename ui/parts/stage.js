const MIN_RATIO = 0.5; // beyond these a picture is shown whole on a quiet ground: a sliver cannot be clicked
const MAX_RATIO = 2.8;

const ratioOf = (tile) => Math.min(MAX_RATIO, Math.max(MIN_RATIO, tile.width / tile.height));

// Justified rows: [{height, tiles}], each full row exactly `width` wide. The last row has the height of the others.
function rows(tiles, width, gap) {
  const perRow = Math.max(2, Math.round(width / 200));
  const target = (width - gap * (perRow - 1)) / (perRow * 1.38);
  const heightOf = (row) => (width - gap * (row.length - 1)) / row.reduce((sum, tile) => sum + ratioOf(tile), 0);
  const found = [];
  let row = [];
  for (const tile of tiles) {
    const before = row;
    row = [...row, tile];
    if (heightOf(row) > target) continue;
    // The row is full: with this tile or without it, whichever is nearer to the usual height.
    const without = before.length ? heightOf(before) : Infinity;
    if (without - target < target - heightOf(row) && without < target * 1.3) {
      found.push({ height: without, tiles: before });
      row = [tile];
    } else {
      found.push({ height: heightOf(row), tiles: row });
      row = [];
    }
  }
  if (row.length) {
    const usual = found.reduce((sum, one) => sum + one.height, 0) / found.length;
    const most = found.length ? usual : Math.min(target * 2.2, 360);
    found.push({ height: Math.min(heightOf(row), most), tiles: row });
  }
  return found;
}

function tileOf(part, one) {
  const { labels } = part.data;
  const picture = one.src
    ? h("img", { src: one.src, alt: one.name, draggable: "false", decoding: "async" })
    : h("span", { class: "blank" }, icon("picture"), labels.no_preview);
  const shape = one.width / one.height;
  const whole = shape < MIN_RATIO || shape > MAX_RATIO;
  const title = [one.said, one.path, one.time, one.score, one.folded].filter(Boolean).join("\n");
  const shot = link(one.href, {
    class: `shot${whole ? " whole" : ""}`, "data-kind": "detail", "data-id": one.id, title, "aria-label": one.open_label,
    onclick: (event) => {
      if (event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey) say("open", { ...one });
    },
  }, picture, h("span", { class: "caption" }, h("b", null, one.said || one.name), one.score && h("span", null, one.score.split(" ").pop()),
    one.folded && h("span", { class: "folded" }, `+${one.folded_count}`)),
  one.time && h("span", { class: "time" }, icon("play"), one.time));
  const acts = h("span", { class: "acts" },
    one.more && link(one.more, labelled(labels.more_like), icon("plus")),
    one.less && link(one.less, labelled(labels.less_like), icon("minus")));
  const meter = one.bar !== null && h("div", { class: "meter", title: one.score },
    h("i", { style: { width: `${Math.max(2, one.bar * 100)}%` } }));
  return h("li", { class: "tile", "data-id": one.id }, shot, meter, acts);
}

function lay(part) {
  const list = part.list;
  if (!list) return;
  const width = Math.floor(part.root.clientWidth);
  if (!width || width === part.laid) return;
  part.laid = width;
  const gap = width < 640 ? 8 : 10;
  for (const row of rows(part.data.tiles, width, gap)) {
    let rest = width - gap * (row.tiles.length - 1);
    const full = Math.abs(row.tiles.reduce((sum, tile) => sum + ratioOf(tile) * row.height, 0) - rest) < 1;
    row.tiles.forEach((tile, place) => {
      const last = full && place === row.tiles.length - 1;
      const wide = last ? rest : Math.min(rest, Math.floor(ratioOf(tile) * row.height));
      rest -= wide;
      const element = part.byId.get(tile.id);
      element.style.width = `${wide}px`;
      element.classList.toggle("narrow", wide < 110);
      element.firstChild.style.height = `${Math.round(row.height)}px`;
    });
  }
}

function tiles(part) {
  part.byId = new Map(part.data.tiles.map((one) => [one.id, tileOf(part, one)]));
  part.data.tiles.forEach((one) => one.src && small.set(one.id, one.src));
  part.list = h("ul", { class: "tiles" }, [...part.byId.values()]);
  part.laid = 0;
  return part.list;
}

const button = (href, name, label, after) => (href
  ? link(href, { class: "button" }, !after && icon(name), label, after && icon(name))
  : h("span", { class: "button", "aria-disabled": "true" }, label));

const VIEWS = {
  welcome: (part, data) => h("section", { class: "welcome" },
    h("div", { class: "hello" }, h("h1", null, data.title), h("p", null, data.body),
      h("nav", { class: "examples", "aria-label": data.labels.examples_label },
        data.examples.map((one) => link(one.href, null, one.label))),
      data.hint && h("p", { class: "quiet" }, data.hint)),
    data.tiles.length > 0 && h("h2", null, data.labels.sample_label),
    data.tiles.length > 0 && tiles(part)),
  results: (part, data) => h("section", { class: "results" },
    data.notes.length > 0 && h("ul", { class: "notes" }, data.notes.map((one) => h("li", null, one))),
    h("p", { class: "line words-of", role: "status" }, h("span", null, data.summary), h("span", null, data.shown)),
    tiles(part),
    (data.turn.previous || data.turn.next) && h("nav", { class: "turns words-of" },
      button(data.turn.previous, "left", data.labels.previous),
      h("span", { class: "quiet" }, data.shown),
      button(data.turn.next, "right", data.labels.next, true))),
  nearest: (part, data) => h("section", { class: "nearest" },
    h("div", { class: "none", role: "status" }, h("h1", null, data.title), h("p", null, data.body),
      h("div", { class: "ways" }, data.links.map((one) => link(one.href, { class: "button" }, one.label)))),
    h("h2", null, data.labels.nearest_label),
    tiles(part)),
  message: (part, data) => h("section", { class: "card" },
    h("h1", null, data.title), h("p", null, data.body),
    (data.notes || []).map((one) => h("p", null, one)),
    data.tips.length > 0 && h("ul", { class: "tips" }, data.tips.map((one) => h("li", null, one))),
    h("div", { class: "ways" }, data.links.map((one) => link(one.href, { class: "button" }, one.label)))),
  command: (part, data) => h("section", { class: "card", role: data.retry ? "alert" : null },
    h("h1", null, data.title), h("p", null, data.body),
    data.command && h("div", { class: "command" }, h("code", null, data.command),
      copyButton(data.labels.copy, data.labels.copied, data.command)),
    data.after && h("p", { class: "after" }, data.after),
    data.retry && h("div", { class: "ways" }, link(data.retry, { class: "button" }, icon("retry"), data.labels.retry)),
    data.request_id && h("p", { class: "id" }, data.request_id)),
};

function setUp(part) {
  const { root } = part;
  new ResizeObserver(() => lay(part)).observe(root);
  document.addEventListener("xuntu:busy", (event) => {
    if (event.detail.kind === "search") root.classList.add("busy");
  });
  document.addEventListener("xuntu:done", () => root.classList.remove("busy"));
}

// Same pictures in the same order: the person is where they were, so the page does not move.
const contentOf = (data) => JSON.stringify([data.kind, (data.tiles || []).map((one) => one.id)]);

export default function (component) {
  const part = connect(component, setUp);
  const { data } = component;
  const moved = part.data && contentOf(part.data) !== contentOf(data);
  part.data = data;
  part.list = null;
  fill(part.root, VIEWS[data.kind](part, data));
  part.root.dataset.state = data.kind;
  part.root.classList.remove("busy");
  lay(part);
  if (moved) document.querySelector(".stMain")?.scrollTo({ top: 0 });
}
