// The colours that pictures are filtered by, as they are shown.
export const SWATCHES = {
  black: "#1d1d1d", grey: "#8d8d8d", white: "#ffffff", red: "#cf3a32", orange: "#e8842c", yellow: "#f0c93a",
  green: "#4f9a4a", cyan: "#3fb3b5", blue: "#3a6fc4", purple: "#7d52ad", pink: "#e590b4", brown: "#80583a",
};

const HEX = /^#[0-9a-f]{6}$/i;
const PLACES = ["18% 12%", "86% 84%", "80% 18%"];

// What a tile shows before its picture is there: the dominant colours, the largest as the ground and others melting into it.
export function groundOf(hit) {
  const [ground, ...others] = (hit.fields?.dominant ?? []).map((one) => one[1]).filter((one) => HEX.test(one));
  if (!ground) return "";
  const spots = others.slice(0, PLACES.length).map((one, place) => `radial-gradient(circle at ${PLACES[place]},${one}a0,transparent 75%)`);
  return `--ground:${[...spots, ground].join(",")}`;
}
