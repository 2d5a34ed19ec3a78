import { parseArgs } from "node:util";

export const USAGE = `node packages/cluster/torture/main.mjs [options]      (build first; \`npx pnpm@10 torture\` runs it too)

  --seconds N      how long it looks, the chaos not counted (30)
  --seeds A..B     seeds of the simulation; without it, as many from 1 on as half of the time suffices for
  --steps N        steps of each simulation (200)
  --faults F       one run of the explorer: "bases/17:replyLost,23:crashAfter"
  --order N        draws what the explorer runs, and the plan of the chaos (the number of the day since 1970)
  --no-explorer    without the explorer
  --no-chaos       without real processes over a real etcd
  --minutes N      of chaos; 0: the short plan of about half a minute (0)
  --json           the figures as JSON

Exit code 1 where a promise was broken.`;

const DAY = 24 * 60 * 60 * 1000;

/**
 * @typedef {object} ClusterTortureOptions
 * @property {number} seconds
 * @property {{ from: number, to: number } | undefined} seeds
 * @property {number} steps
 * @property {string | undefined} faults
 * @property {number} order
 * @property {boolean} explorer
 * @property {boolean} chaos
 * @property {number} minutes
 * @property {boolean} json
 */

/**
 * @param {string[]} argv
 * @returns {ClusterTortureOptions | undefined} undefined where help is wanted
 */
export function parseOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      seconds: { type: "string", default: "30" },
      seeds: { type: "string" },
      steps: { type: "string", default: "200" },
      faults: { type: "string" },
      order: { type: "string", default: `${Math.floor(Date.now() / DAY)}` },
      "no-explorer": { type: "boolean", default: false },
      "no-chaos": { type: "boolean", default: false },
      minutes: { type: "string", default: "0" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    seconds: number("--seconds", values.seconds),
    seeds: values.seeds === undefined ? undefined : parseSeeds(values.seeds),
    steps: number("--steps", values.steps),
    faults: values.faults,
    order: number("--order", values.order),
    explorer: !values["no-explorer"],
    chaos: !values["no-chaos"],
    minutes: number("--minutes", values.minutes),
    json: values.json,
  };
}

/** @param {string} text */
function parseSeeds(text) {
  const [, from, to = from] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  if (from === undefined) throw new TypeError(`--seeds must be N or A..B, not ${text}`);
  return { from: Number(from), to: Number(to) };
}

/**
 * @param {string} option
 * @param {string} text
 */
function number(option, text) {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new TypeError(`${option} must be a number, not ${text}`);
}
