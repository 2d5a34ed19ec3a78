import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

const DAY = 24 * 60 * 60 * 1000;

export const USAGE = `npx pnpm@10 torture [options]      (builds first), or node packages/sim/torture/main.mjs

  --states N       distinct crash states at least; each named scenario is explored whatever N is (100000)
  --seeds A..B     seeds of the simulation, both included (1..1000)
  --ops N          steps of each simulation (300)
  --kills N        SIGKILLs of a real writer on a real disk (30)
  --month N        writes of an engine's month: a real one that is written to, killed, closed and opened again while it makes flushes,
                   compactions, backups and snapshots, and its changes are followed (1000000); with 10000000 it is a year
  --minutes N      once they are over, no more scenarios, seeds and generated workloads are begun; what is left out is told (4). They begin after
                   the kills, the month, and a glance at each scenario; 0: no glances
  --seed N         of the kills, the month and the generated workloads (1)
  --order N        draws the order of the scenarios, of which the time may not suffice for all, and the deliberate bugs
                   (the number of the day since 1970)
  --cluster N      seconds for simulation and explorer of the cluster; the chaos over a real etcd takes about 60 more, and is left out
                   where etcd is not installed; 0: nothing of the cluster (30)
  --mutants N      how many of the deliberate bugs are looked for, drawn by --order; 0: none (all)
  --processes N    child processes (the number of cores)
  --dir DIR        where the real writers write; kept where something is wrong (a temporary directory)
  --json FILE      the figures as JSON, too
  --help

CI has less time: it gives --minutes 1 --kills 15 --month 100000 --mutants 40 --cluster 10. A crash state that breaks a promise is
saved as kaya-crash-N.json, and how to have it again is printed, as for everything that is found. Exit code 1 where a promise was
broken or a mutant was not found, 130 after Ctrl-C.`;

/**
 * @typedef {object} TortureOptions
 * @property {number} states
 * @property {{ from: number, to: number }} seeds none where `to` is less
 * @property {number} operations
 * @property {number} kills
 * @property {number} month
 * @property {number} minutes
 * @property {number} seed
 * @property {number} order
 * @property {number} cluster
 * @property {number} mutants
 * @property {number} processes
 * @property {string | undefined} dir
 * @property {string | undefined} json
 */

/**
 * @param {string[]} argv
 * @returns {TortureOptions | undefined} undefined where help is wanted
 * @throws Error that says what is wrong with them
 */
export function parseOptions(argv) {
  const { values } = parseArgs({
    // pnpm gives the `--` of `pnpm torture -- --kills 500` to the script
    args: argv[0] === "--" ? argv.slice(1) : argv,
    options: {
      states: { type: "string", default: "100000" },
      seeds: { type: "string", default: "1..1000" },
      ops: { type: "string", default: "300" },
      kills: { type: "string", default: "30" },
      month: { type: "string", default: "1000000" },
      minutes: { type: "string", default: "4" },
      seed: { type: "string", default: "1" },
      order: { type: "string", default: `${Math.floor(Date.now() / DAY)}` },
      cluster: { type: "string", default: "30" },
      mutants: { type: "string", default: `${Number.MAX_SAFE_INTEGER}` },
      processes: { type: "string", default: `${availableParallelism()}` },
      dir: { type: "string" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    states: wholeNumber("--states", values.states),
    seeds: parseSeeds(values.seeds),
    operations: wholeNumber("--ops", values.ops),
    kills: wholeNumber("--kills", values.kills),
    month: wholeNumber("--month", values.month),
    minutes: wholeNumber("--minutes", values.minutes),
    seed: wholeNumber("--seed", values.seed),
    order: wholeNumber("--order", values.order),
    cluster: wholeNumber("--cluster", values.cluster),
    mutants: wholeNumber("--mutants", values.mutants),
    processes: Math.max(1, wholeNumber("--processes", values.processes)),
    dir: values.dir,
    json: values.json,
  };
}

/** @param {string} text */
function parseSeeds(text) {
  const [, from, to = from] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  if (from === undefined || to === undefined) throw new Error(`--seeds is N or A..B, not ${text}`);
  return { from: wholeNumber("--seeds", from), to: wholeNumber("--seeds", to) };
}

/**
 * @param {string} option
 * @param {string} text
 */
function wholeNumber(option, text) {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new Error(`${option} is a whole number, not ${text}`);
}
