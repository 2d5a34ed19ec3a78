import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { killLoop } from "../torture/real/kill-loop.mjs";
import { Ledger } from "../torture/real/ledger.mjs";
import { plannedWrite } from "../torture/real/planned-writes.mjs";
import { verify } from "../torture/real/verify.mjs";
import { WriterProcess } from "../torture/real/writer-process.mjs";

const KILLS = 30;
const PLAN = { seed: 7, keys: 300, maxValueBytes: 1000 };
const WAL = { maxRecordBytes: 8192, segmentMaxBytes: 8192, maxBatchBytes: 100_000 };

const planned = (generation: number, number: number) => plannedWrite(PLAN, generation, number);

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kaya-sim-real-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe("a process that is killed at random moments", () => {
  it("loses no write that it acknowledged, strict or relaxed, generation after generation", async () => {
    const figures = await killLoop({ kills: KILLS, seed: 20_26, dir: join(root, "kills") });
    expect(figures).toMatchObject({ kills: KILLS, violations: [] });
    expect(figures.acknowledged).toBeGreaterThan(KILLS);
  });

  it("is found out where it lost one, told of one too early, or brought back what nobody wrote", async () => {
    const dataDir = join(root, "teeth");
    const writer = new WriterProcess({ dataDir, generation: 1, plan: PLAN, lanes: 8, wal: WAL });
    await writer.until(() => writer.acknowledged.length > 50);
    await writer.kill();

    const whole = new Ledger(planned);
    whole.ended(1, writer, 8);
    await verify(dataDir, WAL, whole);
    expect(whole.lastLsn).toBeGreaterThanOrEqual(writer.acknowledged.length);

    const { lastLsn } = whole;
    const settleWith = (change: (answers: typeof writer.acknowledged) => typeof writer.acknowledged) => {
      const ledger = new Ledger(planned);
      ledger.ended(1, Object.assign(Object.create(writer), { acknowledged: change(writer.acknowledged) }), 8);
      return () => ledger.settle(lastLsn);
    };
    const answer = { number: lastLsn, lsn: lastLsn + 1, durable: true, at: 0n };
    expect(settleWith((answers) => [...answers, answer])).toThrow(`write 1.${lastLsn} (LSN`);
    expect(settleWith((answers) => answers.slice(0, lastLsn - 9))).toThrow("were attempted");
    expect(settleWith((answers) => answers.map((each) => ({ ...each, lsn: each.lsn + 1 })))).toThrow(
      "the LSN",
    );
    expect(settleWith((answers) => answers.map((each) => ({ ...each, durable: false })))).toThrow(
      "is strict",
    );
  });

  it("plans the same writes in every process", () => {
    expect(plannedWrite(PLAN, 3, 14)).toEqual(plannedWrite({ ...PLAN }, 3, 14));
    expect(plannedWrite(PLAN, 3, 14)).not.toEqual(plannedWrite(PLAN, 4, 14));
  });
});
