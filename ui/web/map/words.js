// What the map says, in both languages.
const WORDS = {
  en: {
    map: "Map of where the pictures were taken",
    places: "Places with pictures",
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    attribution: "About this map",
    here: (count, name) => `${count} ${count === "1" ? "picture" : "pictures"}${name ? ` near ${name}` : ""}`,
  },
  zh: {
    map: "图片拍摄地点的地图",
    places: "有图片的地点",
    zoomIn: "放大",
    zoomOut: "缩小",
    attribution: "关于这张地图",
    here: (count, name) => `${name ? `${name}附近，` : ""}${count} 张图片`,
  },
};

export const isChinese = (lang) => /^zh\b/i.test(lang);

// The words of a language, English for one that there are none of.
export const wordsOf = (lang) => (isChinese(lang) ? WORDS.zh : WORDS.en);

// The texts of MapLibre's own controls.
export const localeOf = (lang) => {
  const words = wordsOf(lang);
  return {
    "AttributionControl.ToggleAttribution": words.attribution,
    "Map.Title": words.map,
    "NavigationControl.ZoomIn": words.zoomIn,
    "NavigationControl.ZoomOut": words.zoomOut,
  };
};
