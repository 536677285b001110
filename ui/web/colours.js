// The colours that pictures are filtered by, as they are shown.
export const SWATCHES = {
  black: "#1d1d1d", grey: "#8d8d8d", white: "#ffffff", red: "#cf3a32", orange: "#e8842c", yellow: "#f0c93a",
  green: "#4f9a4a", cyan: "#3fb3b5", blue: "#3a6fc4", purple: "#7d52ad", pink: "#e590b4", brown: "#80583a",
};
