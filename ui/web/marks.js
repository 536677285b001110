// Where in an open picture the words stand that were found, and which region of it was.
import { html, render } from "./vendor/lit-html/lit-html.js";

const share = (box, hit) => `left:${(100 * box.x) / hit.width}%;top:${(100 * box.y) / hit.height}%;width:${(100 * box.width) / hit.width}%;height:${(100 * box.height) / hit.height}%`;

export function showMarks(slide, width, height, words) {
  const { hit } = slide.data;
  const boxes = (hit?.reasons ?? []).filter((one) => one.box && one.at == null);
  const region = hit?.part?.region ? hit.part : null;
  if (!boxes.length && !region) return;
  if (!slide.marks) {
    slide.marks = Object.assign(document.createElement("div"), { className: "marks" });
    slide.container.append(slide.marks);
  }
  Object.assign(slide.marks.style, { width: `${width}px`, height: `${height}px` });
  render(html`${boxes.map((one) => html`<i class="mark-box" title=${one.text} role="img" aria-label=${one.text} style=${share(one.box, hit)}></i>`)}
    ${region ? html`<i class="mark-box region" role="img" title=${words.say("found_here")} aria-label=${words.say("found_here")} style=${share(region, hit)}></i>` : ""}`, slide.marks);
}
