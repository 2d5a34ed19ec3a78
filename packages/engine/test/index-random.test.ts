import { Random, SimDisk } from "@kaya/io";
import { expect, it, vi } from "vitest";
import { Engine, KayaError, verifyIndexEntries } from "../src/index.js";
import { type Row, rowsOf } from "./support/indexed-rows.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 240_000 });

const KEYS = ["1", "2", "3", "4", "5"] as const;
const UNIQUE = [undefined, "a", "b", "c"] as const;
const MANY = ["x", "y", "z"];
const EXPECTED = ["KAYA_NOT_UNIQUE", "KAYA_CLOSED", "KAYA_BUSY"];

function rowOf(random: Random): Row {
  return { u: random.pick(UNIQUE), m: MANY.filter(() => random.below(2) === 0), n: random.below(100) };
}

/** One write of some kind, in whatever way rows are written. */
function write(engine: Engine, random: Random): Promise<unknown> {
  const rows = rowsOf(engine);
  const [key, other, row] = [random.pick(KEYS), random.pick(KEYS), rowOf(random)];
  const durability = random.pick(["strict", "relaxed"] as const);
  switch (random.below(10)) {
    case 0:
      return rows.delete(key, { durability });
    case 1:
      return rows.batch(
        [
          { type: "put", key, value: row },
          { type: "delete", key: other },
        ],
        { durability },
      );
    case 2:
      return rows.update(key, (old) => (old === undefined ? row : { ...old, u: row.u }), { durability });
    case 3:
      return engine.transact(async (tx) => {
        const taken = row.u === undefined ? undefined : await rows.in(tx).index("u").get(row.u);
        tx.batch([rows.op.put(taken?.key ?? key, row)]);
      });
    case 4:
      return engine.put(`r:${key}`, JSON.stringify(row), { durability });
    case 5:
      return random.below(4) === 0
        ? rows.clear({}, { durability })
        : rows.clear({ gte: "4" }, { durability });
    case 6:
      return (async () => rows.putSync(key, row, { durability }))();
    default:
      return rows.put(key, row, { durability });
  }
}

async function check(engine: Engine, when: string): Promise<void> {
  const { problems } = await verifyIndexEntries(engine);
  expect(problems, when).toEqual([]);
  const rows = rowsOf(engine);
  expect((await rows.verifyIndexes()).problems, when).toEqual([]);
  const unique = (await rows.values().toArray()).flatMap(({ u }) => u ?? []);
  expect(unique.length, when).toBe(new Set(unique).size);
}

it("whatever is written in whatever way, in flight, over flushes and crashes, indexes agree with their rows", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = new Random(seed);
    const disk = new SimDisk({ seed });
    for (let life = 0; life < 3; life++) {
      const engine = await Engine.open({ memory: { cacheBytes: random.pick([0, 1 << 20]) } }, disk.session());
      await check(engine, `seed ${seed}, opened for the time ${life}`);
      const unexpected: unknown[] = [];
      const settled: Promise<unknown>[] = [];
      for (let i = 0; i < 40; i++) {
        const done = write(engine, random).catch((error: unknown) => {
          if (!KayaError.is(error) || !EXPECTED.includes(error.code)) unexpected.push(error);
        });
        settled.push(done);
        if (random.below(4) === 0) await done;
        if (random.below(20) === 0) settled.push(engine.flush().catch(() => undefined));
      }
      if (random.below(2) === 0) await Promise.all(settled);
      else disk.crash({ survive: random.pick(["random", "nothing", "everything"] as const), seed });
      await Promise.all(settled);
      if (engine.failure === undefined) {
        expect(unexpected).toEqual([]);
        await engine.close().catch(() => undefined);
      }
      disk.crash({ survive: "nothing" });
    }
  }
});
