import { type Disk, SimDisk } from "@kaya/io";
import { writeSealedFile } from "@kaya/wal";
import { describe, expect, it, vi } from "vitest";
import { Engine, recover } from "../src/index.js";
import { leaveCluster, readReplicaMarker } from "../src/replica/index.js";
import { stopBefore } from "./support/intercepted-disk.js";
import { LOG_ID, MemoryLog, replicaOn } from "./support/memory-log.js";
import { entriesOf, rejection, text } from "./support/text.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 240_000 });

const OTHER_ID = "0000000000000bad";

/** A store with two records, and a token behind each. */
async function store(disk: Disk, flushes = false): Promise<readonly string[]> {
  const engine = await Engine.open({}, disk);
  const tokens: string[] = [];
  for (const key of ["a", "b"]) {
    await engine.put(key, key);
    tokens.push(await engine.changesToken());
    if (flushes) await engine.flush();
  }
  await engine.close();
  return tokens;
}

/** A replica with three records. */
async function replicated(disk: Disk): Promise<MemoryLog> {
  const log = new MemoryLog();
  const replica = await replicaOn(disk);
  replica.lead(log.commit);
  for (const key of ["a", "b", "c"]) await replica.engine.put(key, key);
  await replica.engine.close();
  return log;
}

describe("the marker of a replica", () => {
  it("keeps engines out that write, and lets those read that do not", async () => {
    const disk = new SimDisk();
    await replicated(disk);
    const { nextOperation } = disk;
    const refused = await rejection("KAYA_INVALID_ARGUMENT", Engine.open({}, disk));
    for (const part of [LOG_ID, "the log of a test", "REPLICA", "leaveCluster"])
      expect(refused.message).toContain(part);
    expect(disk.nextOperation).toBe(nextOperation);
    const reader = await Engine.open({ readOnly: true }, disk);
    expect(text(await reader.get("c"))).toBe("c");
    await reader.close();
    expect((await recover({}, disk, { dryRun: true })).lastLsn).toBe(3);
    expect(await readReplicaMarker(disk)).toEqual({ logId: LOG_ID, logName: "the log of a test" });
  });

  it("follows the name of the log, and refuses another log", async () => {
    const disk = new SimDisk();
    await replicated(disk);
    const { nextOperation } = disk;
    const refused = await rejection("KAYA_INVALID_ARGUMENT", replicaOn(disk, {}, { logId: OTHER_ID }));
    expect(refused.message).toContain(OTHER_ID);
    await rejection("KAYA_INVALID_ARGUMENT", replicaOn(disk, {}, { logId: OTHER_ID, adopt: true }));
    expect(disk.nextOperation).toBe(nextOperation);
    await (await replicaOn(disk, {}, { logName: "moved" })).engine.close();
    expect(await readReplicaMarker(disk)).toEqual({ logId: LOG_ID, logName: "moved" });
  });

  it("is refused where it is damaged, of a newer version, or something else", async () => {
    const disk = new SimDisk();
    await replicated(disk);
    const whole = disk.readFile("REPLICA") as Uint8Array;
    for (let at = 0; at < whole.length; at++) {
      const damaged = new Uint8Array(whole);
      damaged[at] = (damaged[at] as number) ^ 1;
      const fork = disk.fork();
      fork.writeFile("REPLICA", damaged);
      await rejection("KAYA_CORRUPTION", Engine.open({}, fork));
      await rejection("KAYA_CORRUPTION", replicaOn(fork));
      await rejection("KAYA_CORRUPTION", leaveCluster(fork));
    }
    const marker = { version: 1, logId: LOG_ID, logName: "x" };
    for (const [content, code] of [
      [{ ...marker, version: 2 }, "KAYA_UNSUPPORTED_VERSION"],
      [{ ...marker, logId: "x" }, "KAYA_CORRUPTION"],
      [{ ...marker, logName: 1 }, "KAYA_CORRUPTION"],
      [[], "KAYA_CORRUPTION"],
      [null, "KAYA_CORRUPTION"],
    ] as const) {
      const fork = disk.fork();
      await writeSealedFile(fork, "REPLICA", `${JSON.stringify(content)}\n`);
      await rejection(code, Engine.open({}, fork));
      await rejection(code, replicaOn(fork));
    }
    await (await replicaOn(disk)).engine.close();
  });
});

describe("adopting a store", () => {
  it("is refused without `adopt`, and changes nothing", async () => {
    for (const flushes of [false, true]) {
      const disk = new SimDisk();
      await store(disk, flushes);
      const { nextOperation } = disk;
      const refused = await rejection("KAYA_INVALID_ARGUMENT", replicaOn(disk));
      expect(refused.message).toContain("adopt");
      expect(disk.nextOperation).toBe(nextOperation);
      await (await Engine.open({}, disk)).close();
    }
  });

  it("goes on from its last record under the id of the log, and its own tokens stay good", async () => {
    for (const flushes of [false, true]) {
      const disk = new SimDisk();
      const tokens = await store(disk, flushes);
      const replica = await replicaOn(disk, {}, { adopt: true });
      expect(replica.position).toEqual({ lsn: 2, sequence: 2 });
      const feed = replica.engine.changes({ since: tokens[1] as string });
      const log = new MemoryLog();
      replica.lead(async (batch) => void log.entries.push(batch));
      await replica.engine.put("c", "c");
      expect((await feed.next()).value).toMatchObject({ lsn: 3, token: `${LOG_ID}-3` });
      await replica.engine.flush();
      await replica.engine.close();
      const again = await replicaOn(disk);
      expect(again.position).toEqual({ lsn: 3, sequence: 3 });
      expect(again.engine.lastRecovery.warnings).toEqual([]);
      await again.engine.close();
    }
  });

  it("takes a backup of a replica as a base: tokens of the log go on from it", async () => {
    const [disk, copy] = [new SimDisk(), new SimDisk()];
    const log = await replicated(disk);
    const first = await replicaOn(disk);
    await first.engine.backup(copy);
    await first.engine.close();
    const plain = await Engine.open({}, copy.fork());
    expect(await plain.count()).toBe(3);
    await plain.close();
    await rejection("KAYA_INVALID_ARGUMENT", replicaOn(copy));
    const replica = await replicaOn(copy, {}, { adopt: true });
    expect(replica.position).toEqual({ lsn: 3, sequence: 3 });
    const feed = replica.engine.changes({ since: `${LOG_ID}-3` });
    replica.lead(log.commit);
    await replica.engine.put("d", "d");
    expect((await feed.next()).value).toMatchObject({ lsn: 4, token: `${LOG_ID}-4` });
    await rejection(
      "KAYA_LOG_TRUNCATED",
      (async () => replica.engine.changes({ since: `${LOG_ID}-2` }).next())(),
    );
    await replica.engine.close();
  });

  it("leaves a store or a replica, whichever step a crash comes before", async () => {
    const whole = new SimDisk();
    const tokens = await store(whole);
    const counted = whole.fork();
    await (await replicaOn(counted, {}, { adopt: true })).engine.close();
    for (let at = whole.nextOperation; at <= counted.nextOperation; at++) {
      for (const survive of ["everything", "random"] as const) {
        const disk = whole.fork();
        const stopping = stopBefore(at, disk);
        const done = replicaOn(stopping.disk, {}, { adopt: true }).then(({ engine }) => engine.close());
        await Promise.race([done, stopping.stopped]);
        disk.crash(survive === "random" ? { survive, seed: at } : { survive });
        const when = `at ${at}, ${survive}`;
        const marker = await readReplicaMarker(disk);
        if (marker === undefined) {
          const engine = await Engine.open({}, disk.fork());
          expect(await engine.count(), when).toBe(2);
          await engine.close();
        } else await rejection("KAYA_INVALID_ARGUMENT", Engine.open({}, disk.fork()));
        const replica = await replicaOn(disk, {}, { adopt: true });
        expect(replica.position.lsn, when).toBe(2);
        const feed = replica.engine.changes({ since: tokens[0] as string });
        expect((await feed.next()).value, when).toMatchObject({ lsn: 2, token: `${LOG_ID}-2` });
        await replica.engine.close();
      }
    }
  });
});

describe("leaveCluster", () => {
  it("makes an ordinary store of a replica: its own id from now on, and tokens up to here stay good", async () => {
    const disk = new SimDisk();
    await replicated(disk);
    await leaveCluster(disk);
    expect(await readReplicaMarker(disk)).toBeUndefined();
    const engine = await Engine.open({}, disk);
    const feed = engine.changes({ since: `${LOG_ID}-2` });
    expect((await feed.next()).value).toMatchObject({ lsn: 3 });
    await engine.put("d", "d");
    const token = await engine.changesToken();
    expect(token.startsWith(LOG_ID)).toBe(false);
    // Another record may have this LSN in the shared log.
    await rejection("KAYA_LOG_TRUNCATED", (async () => engine.changes({ since: `${LOG_ID}-4` }).next())());
    await engine.close();
    await rejection("KAYA_INVALID_ARGUMENT", replicaOn(disk));
  });

  it("does nothing to a store that is no replica, or to an empty directory, and refuses one that is open", async () => {
    const disk = new SimDisk();
    await leaveCluster(disk);
    expect(await disk.list("")).toEqual([]);
    const tokens = await store(disk);
    await leaveCluster(disk);
    const engine = await Engine.open({}, disk);
    expect(await engine.changesToken()).toBe(tokens[1]);
    await engine.close();
    const other = new SimDisk();
    const replica = await replicaOn(other);
    await rejection("KAYA_LOCK_CONFLICT", leaveCluster(other));
    await replica.engine.close();
    await rejection("KAYA_INVALID_ARGUMENT", leaveCluster(5 as never));
  });

  it("leaves a replica or a store, whichever step a crash comes before", async () => {
    const whole = new SimDisk();
    const log = await replicated(whole);
    const counted = whole.fork();
    await leaveCluster(counted);
    for (let at = whole.nextOperation; at <= counted.nextOperation; at++) {
      const disk = whole.fork();
      const stopping = stopBefore(at, disk);
      await Promise.race([leaveCluster(stopping.disk), stopping.stopped]);
      disk.crash({ survive: "random", seed: at });
      const marker = await readReplicaMarker(disk);
      if (marker !== undefined) {
        const replica = await replicaOn(disk.fork());
        expect(replica.position.lsn, `at ${at}`).toBe(3);
        expect(await replica.engine.changesToken(), `at ${at}`).toBe(`${LOG_ID}-3`);
        replica.lead(log.commit);
        await replica.engine.close();
        await leaveCluster(disk);
      }
      const engine = await Engine.open({}, disk);
      expect(await entriesOf(engine.scan()), `at ${at}`).toHaveLength(3);
      expect((await engine.changesToken()).startsWith(LOG_ID)).toBe(false);
      await engine.close();
    }
  });
});
