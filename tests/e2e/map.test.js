// Mounts the map as the page does: in a shadow root. What it says of itself is in window.seen.
import { mountMap } from "/web/map/map.js";

const given = new URLSearchParams(location.search);
const root = document.getElementById("host").attachShadow({ mode: "open" });
const element = root.appendChild(document.createElement("div"));
element.style.height = "100%";
window.seen = { moves: [], picks: [], error: null };
const cell = (id, latitude, longitude, count, apart = 0) => ({
  id,
  latitude,
  longitude,
  count,
  bounds: { west: longitude - apart, south: latitude - apart, east: longitude + apart, north: latitude + apart },
});
const points = [
  cell(1, 39.991, 116.289, 3),
  cell(2, 39.918, 116.432, 2),
  cell(3, 30.25, 120.16, 12_345, 0.2),
  { id: 4, lat: 48.86, lon: 2.35 },
  cell(5, -18.14, 178.44, 40),
];
try {
  window.map = await mountMap(element, {
    lang: given.get("lang") ?? "zh",
    theme: given.get("theme") ?? "light",
    points: given.has("empty") ? [] : points.filter((one) => !given.has("china") || one.id <= 3),
    onMove: (seen) => window.seen.moves.push(seen),
    onPick: (seen) => window.seen.picks.push(seen),
  });
  window.root = root;
  window.seen.ready = true;
} catch (error) {
  window.seen.error = String(error);
}
