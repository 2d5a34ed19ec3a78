import { setImmediate as nextTurn } from "node:timers/promises";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { Engine, KEEP } from "../src/index.js";
import { TestClock } from "./support/test-clock.js";
import { rejection, text } from "./support/text.js";

const plusOne = (value: Uint8Array | undefined): string => String(Number(text(value) ?? 0) + 1);

describe("an update with a function that gives its value at once", () => {
  it("never conflicts: a thousand of one key call it a thousand times and share an fsync", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await engine.put("other", "1");
    const before = disk.nextOperation;
    let calls = 0;
    const updates = Array.from({ length: 1000 }, () =>
      engine.update("counter", (value) => {
        calls++;
        return plusOne(value);
      }),
    );
    const results = await Promise.all(updates);
    expect(calls).toBe(1000);
    expect(results.map(({ value }) => Number(text(value)))).toEqual(
      Array.from({ length: 1000 }, (_, i) => i + 1),
    );
    expect(results[999]).toMatchObject({ durable: true, lsn: 1001, sequence: 1001 });
    expect(disk.nextOperation - before).toBeLessThan(10);
    expect(text(await engine.get("counter"))).toBe("1000");
    await engine.close();
  });

  it("sees the writes under way before it: puts, deletes, batches and cleared ranges", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const seen: (string | undefined)[] = [];
    const look = () =>
      engine.update("k", (value) => {
        seen.push(text(value));
        return KEEP;
      });
    const writes = [
      engine.put("k", "a"),
      look(),
      engine.batch([
        { type: "put", key: "x", value: "1" },
        { type: "put", key: "k", value: "b" },
      ]),
      look(),
      engine.clear({ gte: "a", lt: "l" }),
      look(),
      engine.put("k", "c"),
      engine.delete("k"),
      look(),
    ];
    await Promise.all(writes);
    expect(seen).toEqual(["a", "b", undefined, undefined]);
    await engine.close();
  });

  it("deletes for undefined, writes nothing for KEEP, and tells what the key has", async () => {
    const engine = await Engine.open({}, new SimDisk());
    expect(await engine.update("k", () => undefined)).toMatchObject({ value: undefined, lsn: 0 });
    expect(await engine.update("k", () => "v")).toMatchObject({ lsn: 1 });
    const kept = await engine.update("k", () => KEEP);
    expect([text(kept.value), kept.lsn, kept.durable]).toEqual(["v", 1, true]);
    expect(await engine.update("k", () => undefined)).toMatchObject({ value: undefined, lsn: 2 });
    expect(await engine.has("k")).toBe(false);
    await engine.close();
  });

  it("reads what only a table has, beside a flush too", async () => {
    const disk = new SimDisk();
    const before = await Engine.open({}, disk);
    await before.put("k", "1");
    await before.flush();
    await before.close();
    const engine = await Engine.open({}, disk);
    const updates = [engine.update("k", plusOne), engine.update("k", plusOne)];
    const flushed = engine.flush();
    updates.push(engine.update("k", plusOne));
    await Promise.all([...updates, flushed]);
    expect(text(await engine.get("k"))).toBe("4");
    await engine.close();
  });

  it("writes nothing where the function throws, writes to the key itself, or gives no value", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const wrong = new Error("no");
    const throwing = engine.update("k", () => {
      throw wrong;
    });
    await expect(throwing).rejects.toBe(wrong);
    await rejection(
      "KAYA_INVALID_ARGUMENT",
      engine.update("k", () => 1 as never),
    );
    await rejection("KAYA_INVALID_ARGUMENT", engine.update("k", undefined as never));
    await rejection(
      "KAYA_INVALID_ARGUMENT",
      engine.update("k", () => "", { attempts: 0 }),
    );
    const beside = engine.update("k", (value) => {
      void engine.put("other", "1");
      return plusOne(value);
    });
    expect(await beside).toMatchObject({ lsn: 2 });
    const itself = engine.update("k", (value) => {
      void engine.put("k", "9");
      return plusOne(value);
    });
    await rejection("KAYA_INVALID_ARGUMENT", itself);
    await engine.sync();
    expect(text(await engine.get("k"))).toBe("9");
    await engine.close();
  });

  it("is rejected with the write that it read where that fails, and so is what it threw or kept because of it", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await engine.put("k", "1");
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    const ahead = engine.put("k", "2");
    const updates = [
      engine.update("k", plusOne),
      engine.update("k", () => KEEP),
      engine.update("k", () => {
        throw new Error("three is too many");
      }),
    ];
    await Promise.all([ahead, ...updates].map((each) => rejection("KAYA_DISK_FULL", each)));
    expect(text((await engine.update("k", plusOne)).value)).toBe("2");
    await engine.close();
  });
});

describe("an update with a function that gives a promise", () => {
  it("is called at most twice by each of a thousand of one key", async () => {
    const engine = await Engine.open({}, new SimDisk());
    let calls = 0;
    const update = () =>
      engine.update("counter", async (value) => {
        calls++;
        await nextTurn();
        return plusOne(value);
      });
    await Promise.all(Array.from({ length: 1000 }, update));
    expect(text(await engine.get("counter"))).toBe("1000");
    expect(calls).toBeLessThan(2000);
    await engine.close();
  });

  it("conflicts with other writes, and after so many attempts it says with which", async () => {
    const engine = await Engine.open({}, new SimDisk());
    let calls = 0;
    const disturbed = engine.update(
      "k",
      async (value) => {
        calls++;
        await engine.put("k", "x");
        return plusOne(value);
      },
      { attempts: 3 },
    );
    const error = await rejection("KAYA_CONFLICT", disturbed);
    expect([text(error.key), error.sequence, calls]).toEqual(["k", 3, 3]);
    expect(text(await engine.get("k"))).toBe("x");
    await engine.close();
  });

  it("loses against nobody who comes while it has its turn", async () => {
    const engine = await Engine.open({}, new SimDisk());
    let calls = 0;
    let others: Promise<unknown>[] = [];
    const slow = engine.update("k", async (value) => {
      calls++;
      if (calls === 1) await engine.put("k", "1");
      else others = [1, 2, 3].map(() => engine.update("k", plusOne));
      for (let i = 0; i < 20; i++) await nextTurn();
      return plusOne(value);
    });
    expect(text((await slow).value)).toBe("2");
    await Promise.all(others);
    expect([calls, text(await engine.get("k"))]).toEqual([2, "5"]);
    await engine.close();
  });

  it("counts a write that it read and that was taken back as changed", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await engine.put("k", "1");
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    const ahead = rejection("KAYA_DISK_FULL", engine.put("k", "10"));
    const seen: (string | undefined)[] = [];
    const updated = engine.update("k", async (value) => {
      seen.push(text(value));
      if (seen.length > 1) return plusOne(value);
      await ahead;
      void engine.put("k", "2"); // it gets the sequence of the one that was taken back
      return plusOne(value);
    });
    expect(text((await updated).value)).toBe("3");
    expect(seen).toEqual(["10", "2"]);
    await engine.close();
  });

  it("ends with its signal, in the function and while it waits for its turn", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const abort = new AbortController();
    const { signal } = abort;
    let isFirst = true;
    const holder = engine.update("k", async () => {
      if (isFirst) await engine.put("k", "1");
      else await new Promise((resolve) => signal.addEventListener("abort", resolve));
      isFirst = false;
      return "held";
    });
    await expect.poll(() => isFirst).toBe(false);
    const waiting = engine.update("k", () => "never", { signal });
    const late = engine.update("other", () => new Promise<string>(() => undefined), { signal });
    await nextTurn();
    abort.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(late).rejects.toThrow("enough");
    await expect(engine.update("k", () => "never", { signal })).rejects.toThrow("enough");
    await holder;
    expect(text((await engine.update("k", plusOne, { durability: "relaxed" })).value)).toBe("NaN");
    await engine.close();
  });
});

describe("an update with an expiry", () => {
  it("gives the new value its moment, and the function sees a value that has expired as absent", async () => {
    const clock = new TestClock();
    const engine = await Engine.open({}, new SimDisk(), { clock });
    const limits = engine.view({ prefix: "v", key: "utf8", value: "json" });
    await engine.update("k", plusOne, { ttlMs: 10, durability: "relaxed" });
    await limits.update("k", () => ({ tokens: 1 }), { expiresAt: clock.time + 10 });
    await limits.put("other", 1, { ttlMs: 10 });
    limits.putSync("third", 1, { ttlMs: 10 });
    clock.pass(9);
    expect(text((await engine.update("k", () => KEEP, { ttlMs: 100 })).value)).toBe("1"); // nothing is written
    expect(await limits.get("k")).toEqual({ tokens: 1 });
    clock.pass(1);
    expect(await engine.count()).toBe(0);
    const seen: (string | undefined)[] = [];
    const look = (value: Uint8Array | undefined) => {
      seen.push(text(value));
      return plusOne(value);
    };
    await Promise.all([
      engine.update("k", look),
      engine.update("k", async (value) => look(value), { ttlMs: 5 }),
    ]);
    expect(seen).toEqual([undefined, "1"]);
    clock.pass(5);
    expect(await engine.has("k")).toBe(false);
    await engine.close();
  });

  it("that is none is refused before the function is called", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const never = () => expect.unreachable();
    const given: object[] = [{ ttlMs: 0 }, { ttlMs: 1, expiresAt: 1 }, { expiresAt: Number.NaN }, { ttl: 5 }];
    for (const options of given) await rejection("KAYA_INVALID_ARGUMENT", engine.update("k", never, options));
    await engine.close();
  });
});
