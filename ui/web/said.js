// What is said of a hit.
import { clock, fileName } from "./words.js";

// For those who do not see it: what it says or shows as far as that is known, its name, its day.
export function altOf(words, hit, said = null) {
  const day = hit.fields?.taken ? words.moment(String(hit.fields.taken).slice(0, 10)) : "";
  return [said ?? hit.caption ?? "", fileName(hit.path), day, hit.part?.at != null ? clock(hit.part.at) : ""].filter(Boolean).join(", ");
}

// How well it matches, in words that hold; nothing where nothing is known.
export function gradeOf(words, hit) {
  const [first] = hit.reasons ?? [];
  if (first && first.field !== "picture") return words.name("found_in", first.field);
  if (hit.relevance != null) return words.percent(hit.relevance);
  return hit.likelihood ? words.name("likelihoods", hit.likelihood) : "";
}
