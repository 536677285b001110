// How the map looks: land, the names of places, and the pictures. There are no boundaries: nothing here is disputed.
import { isChinese } from "./words.js";

// Families of the system only: MapLibre draws each letter with them, so that no font travels.
export const FONT =
  '-apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans", sans-serif';
const FONTS = FONT.replaceAll('"', "").split(", ");

const COLOURS = {
  light: { water: "#dde5ea", land: "#f8f7f4", coast: "#c3ccd2", name: "#3c4043", halo: "#f8f7f4", dot: "#b23a2a", on: "#ffffff" },
  dark: { water: "#16191c", land: "#282a2c", coast: "#3d4347", name: "#c9ccce", halo: "#1b1d1f", dot: "#e5735f", on: "#1a0d0a" },
};

// From how near a place is named, by its people in thousands. Districts are places whose people nobody has counted.
const NAMED_FROM = [
  [8000, 1],
  [3000, 2],
  [1200, 3],
  [500, 4],
  [200, 5],
  [100, 6],
  [30, 7.5],
  [10, 8.5],
  [0, 9],
];

const COUNT = ["coalesce", ["get", "count"], 1];

// Places as files have them, [longitude, latitude, people in thousands, English, Chinese], as GeoJSON.
export const toNames = (places) => ({
  type: "FeatureCollection",
  features: places.map(([longitude, latitude, people, en, zh]) => ({
    type: "Feature",
    geometry: { type: "Point", coordinates: [longitude, latitude] },
    properties: { en, zh: zh || en, people, from: NAMED_FROM.find(([least]) => people >= least)[1] },
  })),
});

function names(id, lang, colours) {
  return {
    id,
    type: "symbol",
    source: id,
    filter: ["<=", ["get", "from"], ["zoom"]],
    layout: {
      "text-field": ["get", isChinese(lang) ? "zh" : "en"],
      "text-font": FONTS,
      "text-size": ["interpolate", ["linear"], ["log10", ["+", ["get", "people"], 1]], 1, 11, 4, 15],
      "text-max-width": 8,
      "text-padding": 6,
      "symbol-sort-key": ["-", 0, ["get", "people"]],
    },
    paint: { "text-color": colours.name, "text-halo-color": colours.halo, "text-halo-width": 1.4 },
  };
}

function written(lang) {
  const [unit, suffix] = isChinese(lang) ? [10_000, "万"] : [1_000, "k"];
  const large = ["concat", ["number-format", ["/", COUNT, unit], { locale: lang, "max-fraction-digits": 1 }], suffix];
  return ["case", [">=", COUNT, 10_000], large, ["number-format", COUNT, { locale: lang }]];
}

// The style of MapLibre. `land` is the address of the land.
export function look({ lang, theme, land }) {
  const colours = COLOURS[theme === "dark" ? "dark" : "light"];
  const empty = { type: "FeatureCollection", features: [] };
  const sum = (how, name) => [how, ["get", name]];
  return {
    version: 8,
    sources: {
      land: { type: "geojson", data: land, tolerance: 0.3 },
      cities: { type: "geojson", data: empty },
      towns: { type: "geojson", data: empty },
      pictures: {
        type: "geojson",
        data: empty,
        cluster: true,
        clusterRadius: 46,
        clusterMaxZoom: 16,
        clusterProperties: {
          count: sum("+", "count"),
          west: sum("min", "west"),
          south: sum("min", "south"),
          east: sum("max", "east"),
          north: sum("max", "north"),
          id: sum("max", "id"),
        },
      },
    },
    layers: [
      { id: "water", type: "background", paint: { "background-color": colours.water } },
      { id: "land", type: "fill", source: "land", paint: { "fill-color": colours.land, "fill-outline-color": colours.coast } },
      names("towns", lang, colours),
      names("cities", lang, colours),
      {
        id: "pictures",
        type: "circle",
        source: "pictures",
        paint: {
          "circle-color": colours.dot,
          "circle-radius": ["interpolate", ["linear"], ["log10", COUNT], 0, 11, 2, 17, 4, 26],
          "circle-stroke-color": colours.on,
          "circle-stroke-width": 1.5,
        },
      },
      {
        id: "counts",
        type: "symbol",
        source: "pictures",
        layout: {
          "text-field": written(lang),
          "text-font": FONTS,
          "text-size": 12,
          "text-allow-overlap": true,
          "text-ignore-placement": true,
        },
        paint: { "text-color": colours.on },
      },
    ],
  };
}
