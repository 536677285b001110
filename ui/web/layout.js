// Where tiles lie: justified rows over the whole width, block by block, so that a library of any size can be scrolled.
import justify from "./vendor/justified-layout/justified-layout.js";

export const CAPTION = 22; // pixels below a picture, for what is said of it
const LEAST_RATIO = 0.5; // beyond these a picture is shown whole on a quiet ground: a sliver cannot be clicked
const MOST_RATIO = 2.8;
const HEADER = 48;
const TRIED = [1, 0.97, 1.03, 0.94, 1.07, 0.91, 1.1, 0.88, 1.14, 0.85, 1.18, 0.82, 1.22, 0.79, 1.26, 0.76, 1.3]; // heights, by the usual one: that which fills the last row wins

export function ratioOf(hit) {
  const shown = hit.part && !hit.part.region ? hit.part : hit;
  const ratio = Math.max(1, shown.width) / Math.max(1, shown.height);
  return ratio > 3 || ratio < 1 / 3 ? 1 : ratio; // of a longer one, a part is shown, about a square
}

export const isWhole = (ratio) => ratio >= LEAST_RATIO && ratio <= MOST_RATIO;
const bounded = (ratio) => Math.min(MOST_RATIO, Math.max(LEAST_RATIO, ratio));

function rowsOf(ratios, width, target, gap) {
  let best = null;
  for (const factor of TRIED) {
    const found = justify(ratios, {
      containerWidth: width, containerPadding: 0, boxSpacing: { horizontal: gap, vertical: gap + CAPTION },
      targetRowHeight: target * factor, targetRowHeightTolerance: 0.25, showWidows: true,
    });
    const last = found.boxes.filter((box) => box.top === found.boxes.at(-1).top);
    const filled = found.widowCount ? (last.at(-1).left + last.at(-1).width) / width : 1;
    if (!best || filled > best.filled) best = { ...found, filled };
    if (best.filled >= 0.999) break;
  }
  return best;
}

// Boxes of pictures of these shapes: [{left, top, width, height}], and the height of all.
export function layRows(ratios, width, target, gap) {
  if (!ratios.length) return { boxes: [], height: 0 };
  const shapes = ratios.map(bounded);
  const oneRow = (width - gap * (shapes.length - 1)) / shapes.reduce((sum, one) => sum + one, 0);
  if (oneRow >= target) { // few pictures are not blown up
    const height = Math.min(oneRow, target * 1.6);
    let left = 0;
    const boxes = shapes.map((shape) => {
      const box = { left, top: 0, width: shape * height, height };
      left += box.width + gap;
      return box;
    });
    return { boxes, height: height + CAPTION + gap };
  }
  const { boxes } = rowsOf(shapes, width, target, gap);
  return { boxes, height: Math.max(...boxes.map((box) => box.top + box.height)) + CAPTION + gap };
}

// The height that a block whose shapes are not known yet will about have.
export function guessHeight(count, width, target, gap) {
  const perRow = Math.max(1, Math.round((width + gap) / (target * 1.4 + gap)));
  return Math.ceil(count / perRow) * (target + gap + CAPTION);
}

// A block of tiles: boxes by place, and headers above the first picture of each group.
// `groupOf` tells the group of a hit, or null where there are none; `before` is the group that the block before ends in.
export function layBlock(hits, { width, target, gap, groupOf, before }) {
  const boxes = [], headers = [];
  let top = 0, from = 0, group = before;
  while (from < hits.length) {
    const here = groupOf(hits[from]);
    let to = from + 1;
    while (to < hits.length && groupOf(hits[to]) === here) to += 1;
    if (here !== null && here !== group) {
      headers.push({ top, group: here });
      top += HEADER;
    }
    const rows = layRows(hits.slice(from, to).map(ratioOf), width, target, gap);
    rows.boxes.forEach((box) => boxes.push({ ...box, top: box.top + top }));
    top += rows.height;
    [from, group] = [to, here];
  }
  return { boxes, headers, height: top, last: group };
}
