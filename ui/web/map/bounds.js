// Parts of the map: {west, south, east, north} in degrees. One whose west lies east of its east goes over the date line.

const wrap = (longitude) => ((((longitude + 180) % 360) + 360) % 360) - 180;
const clamp = (latitude) => Math.max(-90, Math.min(90, latitude));
const round = (degrees) => Math.round(degrees * 1e4) / 1e4;

// The smallest part that has all points {longitude, latitude} in it, or null without any: it may go over the date line.
export function boundsOf(points) {
  if (!points.length) return null;
  const east = points.map((point) => point.longitude).sort((one, other) => one - other);
  const north = points.map((point) => point.latitude);
  let start = 0;
  let widest = east[0] + 360 - east[east.length - 1];
  for (let place = 1; place < east.length; place += 1) {
    const gap = east[place] - east[place - 1];
    if (gap > widest) [widest, start] = [gap, place];
  }
  const last = (start + east.length - 1) % east.length;
  const [south, top] = north.reduce(([low, high], one) => [Math.min(low, one), Math.max(high, one)], [90, -90]);
  return { west: east[start], south, east: east[last], north: top };
}

// What a view shows, with longitudes from -180 to 180 however often the earth was gone around.
export function boundsOfView(west, south, east, north) {
  const all = east - west >= 360;
  return {
    west: all ? -180 : round(wrap(west)),
    south: round(clamp(south)),
    east: all ? 180 : round(wrap(east)),
    north: round(clamp(north)),
  };
}

// The corners that MapLibre takes, the east never left of the west.
export const cornersOf = ({ west, south, east, north }) => [
  [west, south],
  [east < west ? east + 360 : east, north],
];

// A part of the map as conditions take it.
export const write = ({ west, south, east, north }) => [west, south, east, north].join(",");
