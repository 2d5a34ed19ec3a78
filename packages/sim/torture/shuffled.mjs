/**
 * A list in a drawn order.
 * @template T
 * @param {readonly T[]} list
 * @param {import("@kaya/io").Random} random
 * @returns {T[]}
 */
export function shuffled(list, random) {
  const drawn = list.map((each) => ({ each, lot: random.uint32() }));
  return drawn.sort((a, b) => a.lot - b.lot).map(({ each }) => each);
}
