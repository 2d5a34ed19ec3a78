import { readFileSync, writeFileSync } from "node:fs";

const FILE = new URL("places.json", import.meta.url);

/**
 * Where a deliberate bug was found, as one line: the limits and the scenario ("glance wal: rotation"), or the seed of a simulation
 * ("simulation 23"). A run looks there before it searches.
 *
 * @typedef {string} Place
 */

/**
 * The places that `main.mjs --record` wrote, by the names of the mutants.
 *
 * @returns {Record<string, Place>}
 */
export function recordedPlaces() {
  return JSON.parse(readFileSync(FILE, "utf8"));
}

/**
 * Adds what was found in another place than before, or for the first time, and drops mutants that are no more.
 *
 * @param {readonly import("./harness.mjs").MutantResult[]} results
 * @param {readonly import("./mutants.mjs").Mutant[]} mutants all that there are
 */
export function recordPlaces(results, mutants) {
  const places = recordedPlaces();
  for (const { name, place } of results) if (place !== undefined) places[name] = place;
  const names = mutants.map(({ name }) => name).sort();
  const known = names.filter((name) => places[name] !== undefined);
  const lines = known.map((name) => `  ${JSON.stringify(name)}: ${JSON.stringify(places[name])}`);
  writeFileSync(FILE, `{\n${lines.join(",\n")}\n}\n`);
}
