// The places of pictures, each with what lies in it: a city has the pictures of its districts as well.
// A place says where it lies, the smallest first: "萧山 Xiaoshan, 杭州 Hangzhou, 中国 China".

const BETWEEN = ", ";

export const around = (place) => place.split(BETWEEN).slice(1).join(BETWEEN);

const within = (place) => place.split(BETWEEN).map((_, at, parts) => parts.slice(at).join(BETWEEN));

// Counts of all places, by those of pictures that are said to be just there.
export function countPlaces(values) {
  const counts = new Map();
  values.forEach(({ value, count }) => within(value).forEach((place) => counts.set(place, (counts.get(place) ?? 0) + count)));
  return counts;
}

// What there is to choose, most pictures first: what lies in the place that is chosen; without one, cities, and
// countries of which no city is known.
export function listPlaces(values, chosen) {
  const exact = new Set(values.map((one) => one.value));
  const isShown = (place) => (chosen ? around(place) === chosen : around(place) ? !around(around(place)) : exact.has(place));
  return [...countPlaces(values)].filter(([place]) => isShown(place)).sort((one, other) => other[1] - one[1]);
}
