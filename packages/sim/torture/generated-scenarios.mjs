import { Random } from "@kaya/io";
import { engineCheck } from "../dist/explorer/engine-check.js";
import { EngineSession } from "../dist/explorer/engine-session.js";
import { scenario } from "../dist/explorer/scenario.js";
import { generatedWalScenario } from "../dist/explorer/wal-generated.js";

const STEPS = 14;

/**
 * A workload made from a seed, for as many more crash states as there is time for: of the log and of the engine in turn.
 * @param {number} seed
 * @returns {import("../dist/explorer/index.js").Scenario}
 */
export function generatedScenario(seed) {
  return seed % 2 === 0 ? generatedWalScenario(seed) : generatedEngineScenario(seed);
}

/** @param {Random} random */
function walConfig(random) {
  const maxRecordBytes = random.pick([400, 768]);
  return {
    maxRecordBytes,
    segmentMaxBytes: maxRecordBytes * random.pick([1, 2, 4]),
    maxBatchBytes: random.pick([1, 300, 2000]),
  };
}

/** @param {number} seed */
function generatedEngineScenario(seed) {
  const config = { wal: walConfig(new Random(seed)), limits: { maxKeyBytes: 40, maxValueBytes: 250 } };
  return scenario(`engine: generated from seed ${seed}`, {
    workload: async (disk, history) => {
      const random = new Random(seed, 1);
      const session = new EngineSession(disk, history, { config });
      await session.open();
      for (let step = 0; step < STEPS; step++) await live(session, random, `${seed}.${step}`);
    },
    check: engineCheck(config),
  });
}

/**
 * @param {EngineSession} session
 * @param {Random} random
 * @param {string} name
 */
async function live(session, random, name) {
  const what = random.below(20);
  if (what === 0) return session.sync();
  if (what === 1) return session.clear("a", mode(random));
  if (what <= 4) {
    if (what === 2) await session.close();
    if (what === 3) session.kill();
    if (what === 4) session.crash({ survive: "random", seed: random.uint32() });
    return session.open();
  }
  const writes = Array.from({ length: 1 + random.below(3) }, (_, i) => {
    const key = random.pick(["a1", "a2", "b1", "b2"]);
    const value = `${name}.${i} ${"x".repeat(length(random))}`;
    if (random.chance(0.2)) return session.delete(key, mode(random));
    if (random.chance(0.7)) return session.put(key, value, mode(random));
    /** @type {import("@kaya/engine").BatchOperation[]} */
    const operations = [
      { type: "put", key, value: `${name}.${i}` },
      { type: "delete", key: "b1" },
    ];
    return session.write(operations, mode(random));
  });
  await Promise.all(writes);
}

/** @param {Random} random */
const mode = (random) => random.pick(["strict", "relaxed", "relaxed"]);

/** @param {Random} random */
const length = (random) => random.below(random.pick([10, 100, 220]));
