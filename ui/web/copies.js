// Where else an open picture is: exact copies, and near-duplicates, each with what tells it from this one.
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { fileName } from "./words.js";

const SHOWN = 3; // before all are asked for

// A copy as the service tells it, in the form of a hit.
export const asHit = (one, build) => ({ ...one, reasons: [], part: null, moments: [], duplicates: 0, fields: { taken: one.taken_at, modified: build, bytes: one.bytes } });

const folderOf = (path) => path.slice(0, path.lastIndexOf("/") + 1).replace(/\/$/, "");

export function copies(picture, hit) {
  const { app } = picture, { words } = app, found = picture.copies.get(hit.id);
  if (!found?.hits.length) return nothing;
  const shown = picture.allCopies === hit.id ? found.hits : found.hits.slice(0, SHOWN);
  const row = (one) => html`<li><a href=${app.hrefOf({ id: one.id })} data-drag=${one.id} data-name=${fileName(one.path)} aria-label=${words.say("open_picture", { name: one.path })}
      @click=${app.following(() => app.opening.openAmong([hit, ...found.hits], one))}>
    <img src=${app.service.thumbnail(one, 400)} alt="" loading="lazy"><span class="what"><b title=${one.path}>${fileName(one.path)}</b>
      <span>${[one.root, folderOf(one.path)].filter(Boolean).join("/")}</span>
      <span>${words.say(one.why === "copy" ? "copy_exact" : "copy_near")} · ${words.number(one.width)} × ${words.number(one.height)} · ${words.size(one.bytes)}</span></span></a></li>`;
  return html`<section class="copies"><h3>${words.say("copies_n", { n: found.total })}</h3><ul role="list">${shown.map(row)}</ul>
    ${shown.length < found.hits.length ? html`<button type="button" class="link" @click=${() => { picture.allCopies = hit.id; picture.draw(); }}>${words.say("all_of_them", { n: found.hits.length })}</button>` : nothing}</section>`;
}
