import { join } from "node:path";
import { Random } from "@kaya/io";
import {
  engineScenarios,
  faultPairScenarios,
  lsmScenarios,
  tableScenarios,
  walScenarios,
} from "../dist/explorer/index.js";
import { shuffled } from "./shuffled.mjs";

const SEEDS_A_JOB = 10;
const KILLS_A_LOOP = 125;
// Each has other pairs of faults; every other one may take bytes from a living process.
const FAULT_PAIR_SEEDS = [0, 1, 2, 3];

/**
 * The jobs of a run. Those that take long come first, then a glance at each scenario. Then the scenarios of all subjects and the seeds of the
 * simulation alternate, so a run that is cut short has its share of each; the order of the scenarios is drawn by `options.order`, so other runs leave
 * out others. Generated workloads come last, while there are too few states. Once the time is up, no more jobs begin.
 *
 * @param {import("./options.mjs").TortureOptions} options
 * @param {string} dir
 * @param {() => number} statesSoFar distinct ones, with what is to be expected of the jobs under way
 * @param {import("./tally.mjs").Cut} cut is told what is left out
 * @returns {Generator<import("./worker.mjs").Job>}
 */
export function* jobsOf(options, dir, statesSoFar, cut) {
  yield* longJobs(options, dir);
  yield* glances(options);
  // The time is for the jobs that follow: on a few slow cores the long jobs alone would use it up.
  const isTimeUp = timeOf(options);
  /** @type {(import("./worker.mjs").NamedJob | import("./worker.mjs").SimulateJob)[][]} */
  const subjects = [...scenarioJobs(options), seedJobs(options)];
  for (const job of mixed(subjects)) {
    if (!isTimeUp()) yield job;
    else if (job.kind === "simulate") cut.seeds += job.to - job.from + 1;
    else cut.scenarios.push(job.scenario);
  }
  for (let generate = options.seed; statesSoFar() < options.states; generate++) {
    if (!isTimeUp()) yield { kind: "explore", generate };
    else {
      cut.states = options.states - statesSoFar();
      return;
    }
  }
}

/**
 * The time suffices for only a few scenarios. So each run first crashes every scenario in few ways: long ones at some of their moments, the others at all.
 * @param {import("./options.mjs").TortureOptions} options
 * @returns {Generator<import("./worker.mjs").GlanceJob>}
 */
function* glances(options) {
  if (options.minutes === 0) return;
  for (const { scenario } of mixed(scenarioJobs(options))) yield { kind: "glance", scenario };
}

/** @param {import("./options.mjs").TortureOptions} options */
function timeOf({ minutes }) {
  const end = performance.now() + minutes * 60_000;
  return () => performance.now() > end;
}

/**
 * @param {import("./options.mjs").TortureOptions} options
 * @param {string} dir
 * @returns {Generator<import("./worker.mjs").KillJob | import("./worker.mjs").MonthJob>}
 */
function* longJobs({ kills, month, seed, processes }, dir) {
  if (month > 0) yield { kind: "month", writes: month, seed, dir: join(dir, `month-${seed}`) };
  const loops = kills === 0 ? 0 : Math.max(Math.min(processes, kills), Math.ceil(kills / KILLS_A_LOOP));
  for (let loop = 0; loop < loops; loop++) {
    const share = Math.floor((kills * (loop + 1)) / loops) - Math.floor((kills * loop) / loops);
    yield { kind: "kill", kills: share, seed: seed + loop, dir: join(dir, `kills-${seed + loop}`) };
  }
}

/**
 * A list for each subject.
 * @param {import("./options.mjs").TortureOptions} options
 * @returns {import("./worker.mjs").NamedJob[][]}
 */
function scenarioJobs({ states, order }) {
  if (states === 0) return [];
  const pairs = FAULT_PAIR_SEEDS.flatMap((each) => faultPairScenarios({ seed: each }));
  const random = new Random(order);
  return [engineScenarios(), walScenarios(), tableScenarios(), lsmScenarios(), pairs].map((subject) =>
    shuffled(subject, random).map(({ name }) => ({ kind: "explore", scenario: name })),
  );
}

/**
 * @param {import("./options.mjs").TortureOptions} options
 * @returns {import("./worker.mjs").SimulateJob[]}
 */
function seedJobs({ seeds, operations }) {
  /** @type {import("./worker.mjs").SimulateJob[]} */
  const jobs = [];
  for (let from = seeds.from; from <= seeds.to; from += SEEDS_A_JOB) {
    jobs.push({ kind: "simulate", from, to: Math.min(seeds.to, from + SEEDS_A_JOB - 1), operations });
  }
  return jobs;
}

/**
 * Each list in its order, evenly among the others.
 * @template T
 * @param {readonly (readonly T[])[]} lists
 * @returns {T[]}
 */
function mixed(lists) {
  const placed = lists.flatMap((list) =>
    list.map((each, index) => ({ at: (index + 0.5) / list.length, each })),
  );
  return placed.sort((a, b) => a.at - b.at).map(({ each }) => each);
}
