import { join } from "node:path";
import {
  engineScenarios,
  faultPairScenarios,
  lsmScenarios,
  tableScenarios,
  walScenarios,
} from "../dist/explorer/index.js";

const SEEDS_A_JOB = 10;
const KILLS_A_LOOP = 125;
// Each has other pairs of faults; every other one may take bytes from a living process.
const FAULT_PAIR_SEEDS = [0, 1, 2, 3];

/**
 * The jobs of a run: what takes long first, generated workloads at the end, for as long as there are too few states.
 * @param {import("./options.mjs").TortureOptions} options
 * @param {string} dir
 * @param {() => number} statesSoFar distinct ones, with what is to be expected of the jobs under way
 * @returns {Generator<import("./worker.mjs").Job>}
 */
export function* jobsOf({ states, seeds, operations, kills, month, seed, processes }, dir, statesSoFar) {
  if (month > 0) yield { kind: "month", writes: month, seed, dir: join(dir, `month-${seed}`) };
  const loops = kills === 0 ? 0 : Math.max(Math.min(processes, kills), Math.ceil(kills / KILLS_A_LOOP));
  for (let loop = 0; loop < loops; loop++) {
    const share = Math.floor((kills * (loop + 1)) / loops) - Math.floor((kills * loop) / loops);
    yield { kind: "kill", kills: share, seed: seed + loop, dir: join(dir, `kills-${seed + loop}`) };
  }
  if (states > 0) {
    const pairs = FAULT_PAIR_SEEDS.flatMap((each) => faultPairScenarios({ seed: each }));
    const all = [...engineScenarios(), ...walScenarios(), ...tableScenarios(), ...lsmScenarios(), ...pairs];
    for (const { name } of all) yield { kind: "explore", scenario: name };
  }
  for (let from = seeds.from; from <= seeds.to; from += SEEDS_A_JOB) {
    yield { kind: "simulate", from, to: Math.min(seeds.to, from + SEEDS_A_JOB - 1), operations };
  }
  for (let generate = seed; statesSoFar() < states; generate++) yield { kind: "explore", generate };
}
