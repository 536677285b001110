// Where pictures were taken, on a map that asks nobody but this service: MapLibre, loaded when the first map is shown.
import { boundsOf, boundsOfView, cornersOf } from "./bounds.js";
import { FONT, look, toNames } from "./style.js";
import { localeOf, wordsOf } from "./words.js";

const NEAREST = 11; // zoom: places are known to a town or a district, no nearer
const TOWNS_FROM = 6; // zoom
const ONE_PLACE = 0.005; // degrees: what lies within is not parted by going nearer
const MOST_BUTTONS = 30;
const VENDOR = "../vendor/maplibre-gl/";
const SOURCES =
  '<a href="https://www.naturalearthdata.com/" target="_blank" rel="noopener noreferrer">Natural Earth</a> · ' +
  '<a href="https://www.geonames.org/" target="_blank" rel="noopener noreferrer">GeoNames (CC BY 4.0)</a> · ' +
  '<a href="https://maplibre.org/" target="_blank" rel="noopener noreferrer">MapLibre</a>';

const addressOf = (path) => new URL(path, import.meta.url).href;

// Show a map in an element, which has a height of its own, and return {setPoints, setLook, fit, destroy}.
//
// `points` are pictures {id, latitude, longitude} (or lat and lon), or cells of GET v1/places, which have `count` and
// `bounds` as well. `onMove({bounds, zoom})` is called when the view has come to rest, at first as well; `zoom` is that
// of v1/places. A click on pictures goes nearer as long as that parts them; then `onPick({bounds, count, id})` is called.
// Rejects where the browser cannot draw maps (no WebGL), or a file cannot be loaded.
export async function mountMap(element, { lang = "en", theme = "light", points = [], onMove, onPick } = {}) {
  const root = element.getRootNode();
  const [maplibre, cities] = await Promise.all([
    import(VENDOR + "maplibre-gl.js"),
    load("cities.json"),
    addStyles(root, VENDOR + "maplibre-gl.css"),
    addStyles(root, "map.css"),
  ]);
  maplibre.setWorkerUrl(addressOf(VENDOR + "maplibre-gl-worker.js"));
  const frame = makeFrame(element, lang, theme);
  const map = draw(maplibre, frame.canvas, { lang, theme });
  const state = { lang, theme, cities, hasTowns: false };
  await map.once("load");
  map.getSource("cities").setData(toNames(cities));

  const setPoints = (given) => map.getSource("pictures").setData(toPictures(given));
  const fit = (given) => fitTo(map, given);
  const pick = (feature) => pickOrGoNearer(map, feature.properties, onPick);
  const moved = () => {
    loadTowns(map, state);
    onMove?.({ bounds: boundsInView(map), zoom: Math.max(0, Math.floor(map.getZoom())) });
  };
  map.on("click", "pictures", (event) => pick(event.features[0]));
  map.on("mousemove", (event) => {
    const over = map.queryRenderedFeatures(event.point, { layers: ["pictures"] }).length > 0;
    map.getCanvas().style.cursor = over ? "pointer" : "";
  });
  map.on("movestart", () => clearButtons(frame.places, map));
  map.on("idle", () => makeButtons(frame.places, map, state, pick));
  setPoints(points);
  fit(points);
  map.on("moveend", moved);
  moved();

  return {
    setPoints,
    fit,
    setLook(changed) {
      Object.assign(state, changed);
      frame.node.classList.toggle("dark", state.theme === "dark");
      frame.places.setAttribute("aria-label", wordsOf(state.lang).places);
      applyLook(map, state);
    },
    destroy() {
      map.remove();
      frame.node.remove();
    },
  };
}

function makeFrame(element, lang, theme) {
  const node = document.createElement("div");
  node.className = theme === "dark" ? "xuntu-map dark" : "xuntu-map";
  const canvas = node.appendChild(document.createElement("div"));
  canvas.className = "canvas";
  const places = node.appendChild(document.createElement("ul"));
  places.className = "places";
  places.setAttribute("aria-label", wordsOf(lang).places);
  element.append(node);
  return { node, canvas, places };
}

function draw(maplibre, container, { lang, theme }) {
  const map = new maplibre.Map({
    container,
    style: look({ lang, theme, land: addressOf("../vendor/world-atlas/land.json") }),
    center: [60, 25],
    zoom: 1,
    minZoom: 0,
    maxZoom: NEAREST,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    fadeDuration: 0,
    localIdeographFontFamily: FONT,
    locale: localeOf(lang),
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new maplibre.AttributionControl({ compact: true, customAttribution: SOURCES }), "bottom-right");
  map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-right");
  map.on("error", (event) => console.warn("map:", event.error?.message ?? event));
  return map;
}

async function load(name) {
  const answer = await fetch(addressOf(name));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.json();
}

// Put a style sheet into a document or a shadow root, once, and wait for it: a map is measured when it is made.
function addStyles(root, path) {
  const where = root instanceof ShadowRoot ? root : document.head;
  const href = addressOf(path);
  const there = [...where.querySelectorAll("link[rel=stylesheet]")].find((link) => link.href === href);
  if (there?.sheet) return Promise.resolve();
  const link = there ?? Object.assign(document.createElement("link"), { rel: "stylesheet", href });
  const loaded = new Promise((resolve, reject) => {
    link.addEventListener("load", resolve, { once: true });
    link.addEventListener("error", () => reject(new Error(`${path} cannot be loaded`)), { once: true });
  });
  if (!there) where.append(link);
  return loaded;
}

const placeOf = (point) => ({ longitude: point.longitude ?? point.lon, latitude: point.latitude ?? point.lat });

function toPictures(points) {
  const features = points.map((point) => {
    const { longitude, latitude } = placeOf(point);
    const bounds = point.bounds ?? { west: longitude, south: latitude, east: longitude, north: latitude };
    return {
      type: "Feature",
      geometry: { type: "Point", coordinates: [longitude, latitude] },
      properties: { id: point.id, count: point.count ?? 1, ...bounds },
    };
  });
  return { type: "FeatureCollection", features };
}

function fitTo(map, points) {
  const places = points.map(placeOf).concat(points.filter((one) => one.bounds).flatMap(({ bounds }) => [
    { longitude: bounds.west, latitude: bounds.south },
    { longitude: bounds.east, latitude: bounds.north },
  ]));
  const bounds = boundsOf(places);
  if (bounds) map.fitBounds(cornersOf(bounds), { padding: 60, maxZoom: 9, animate: false });
}

function boundsInView(map) {
  const view = map.getBounds();
  return boundsOfView(view.getWest(), view.getSouth(), view.getEast(), view.getNorth());
}

function pickOrGoNearer(map, found, onPick) {
  const bounds = { west: found.west, south: found.south, east: found.east, north: found.north };
  const isOnePlace = Math.max(bounds.east - bounds.west, bounds.north - bounds.south) <= ONE_PLACE;
  if (isOnePlace || map.getZoom() >= NEAREST - 0.5) {
    onPick?.({ bounds, count: found.count, id: found.id });
    return;
  }
  const nearer = map.cameraForBounds(cornersOf(bounds), { padding: 80, maxZoom: NEAREST });
  map.easeTo({ center: nearer.center, zoom: Math.max(nearer.zoom, Math.min(map.getZoom() + 1, NEAREST)) });
}

async function loadTowns(map, state) {
  if (state.hasTowns || map.getZoom() < TOWNS_FROM) return;
  state.hasTowns = true;
  try {
    const towns = await load("towns.json");
    map.getSource("towns")?.setData(toNames(towns));
  } catch (error) {
    state.hasTowns = false; // tried again when the map is moved
    console.warn("map:", error.message);
  }
}

function applyLook(map, { lang, theme }) {
  for (const { id, paint = {}, layout = {} } of look({ lang, theme, land: "" }).layers) {
    for (const [name, value] of Object.entries(paint)) map.setPaintProperty(id, name, value);
    for (const [name, value] of Object.entries(layout)) map.setLayoutProperty(id, name, value);
  }
}

// Buttons over the pictures, which keys and screen readers reach; the pointer goes through them to the map.
function makeButtons(list, map, state, pick) {
  const words = wordsOf(state.lang);
  const format = new Intl.NumberFormat(state.lang);
  const found = new Map();
  for (const feature of map.queryRenderedFeatures({ layers: ["pictures"] })) {
    found.set(feature.properties.cluster_id ?? `one ${feature.properties.id}`, feature);
  }
  const largest = [...found.values()].sort((one, other) => other.properties.count - one.properties.count);
  const items = largest.slice(0, MOST_BUTTONS).map((feature) => {
    const point = map.project(feature.geometry.coordinates);
    const button = document.createElement("button");
    const name = nearestCity(state, feature.geometry.coordinates);
    button.type = "button";
    button.setAttribute("aria-label", words.here(format.format(feature.properties.count), name));
    button.style.left = `${point.x}px`;
    button.style.top = `${point.y}px`;
    button.addEventListener("click", () => pick(feature));
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  if (list.querySelector(":focus")) return; // a person is among them
  list.replaceChildren(...items);
}

function clearButtons(list, map) {
  if (list.querySelector(":focus")) map.getCanvas().focus();
  list.replaceChildren();
}

function nearestCity({ cities, lang }, [longitude, latitude]) {
  const wide = Math.cos((latitude * Math.PI) / 180);
  let best = null;
  let least = 1; // degree
  for (const city of cities) {
    const apart = Math.hypot((city[0] - longitude) * wide, city[1] - latitude);
    if (apart < least) [least, best] = [apart, city];
  }
  return best && ((/^zh\b/i.test(lang) && best[4]) || best[3]);
}
