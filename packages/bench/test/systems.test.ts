import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { entryKey, entryValue } from "../src/data.js";
import { load } from "../src/load.js";
import { openWithBinary, PeerMissing, type ScanRequest, type Store, type System } from "../src/system.js";
import { SYSTEMS } from "../src/systems/all.js";

const ENTRIES = 25;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const SORTED = Array.from({ length: ENTRIES }, (_, i) => hex(entryKey(i))).sort();

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kaya-bench-test-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function whyMissing(system: System): Promise<string | undefined> {
  const dir = await mkdtemp(join(tmpdir(), "kaya-bench-probe-"));
  try {
    await (await system.open(join(dir, "data"), "relaxed")).close();
    return undefined;
  } catch (error) {
    if (error instanceof PeerMissing) return error.message.split("\n")[0];
    throw error;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function keysOf(store: Store, request: Omit<ScanRequest, "visit">): Promise<string[]> {
  const keys: string[] = [];
  await store.scan?.({ ...request, visit: (key) => keys.push(hex(key)) });
  return keys;
}

for (const system of SYSTEMS) {
  const missing = await whyMissing(system);
  describe.skipIf(missing !== undefined)(`${system.name}${missing ? ` (${missing})` : ""}`, () => {
    const durabilities = system.setup.durable === undefined ? ["relaxed"] : ["durable", "relaxed"];
    test.each(durabilities as ("durable" | "relaxed")[])(
      "a %s put and batch are read back",
      async (durability) => {
        const store = await system.open(join(root, `${system.name}-${durability}`), durability);
        await store.put(entryKey(ENTRIES), entryValue(ENTRIES));
        await load(store, 0, ENTRIES);
        for (const index of [0, ENTRIES - 1, ENTRIES]) {
          if (store.get)
            expect(hex((await store.get(entryKey(index))) ?? Buffer.of())).toBe(hex(entryValue(index)));
          if (store.getSync)
            expect(hex(store.getSync(entryKey(index)) ?? Buffer.of())).toBe(hex(entryValue(index)));
        }
        await store.flush?.();
        if (store.putSync) {
          store.putSync(entryKey(ENTRIES + 2), entryValue(ENTRIES + 2));
          if (store.getSync)
            expect(hex(store.getSync(entryKey(ENTRIES + 2)) ?? Buffer.of())).toBe(
              hex(entryValue(ENTRIES + 2)),
            );
        }
        if (store.get) expect(await store.get(entryKey(ENTRIES + 1))).toBeUndefined();
        if (store.getSync) expect(store.getSync(entryKey(ENTRIES + 1))).toBeUndefined();
        await store.close();
      },
    );

    test.skipIf(system.kind === "raw").each(["pages", "entries"] as const)("scans by %s", async (by) => {
      const store = await system.open(join(root, `${system.name}-${by}`), "relaxed");
      await load(store, 0, ENTRIES);
      const from = Buffer.from(SORTED[5] as string, "hex");
      expect(await keysOf(store, { by })).toEqual(SORTED);
      expect(await keysOf(store, { by, reverse: true })).toEqual([...SORTED].reverse());
      expect(await keysOf(store, { by, from, limit: 7 })).toEqual(SORTED.slice(5, 12));
      expect(await keysOf(store, { by, from, limit: 4, reverse: true })).toEqual(
        SORTED.slice(2, 6).reverse(),
      );
      await store.close();
    });

    test.skipIf(!system.onDisk || system.kind === "raw")(
      "what was written is there after reopening",
      async () => {
        const dir = join(root, `${system.name}-reopened`);
        const store = await system.open(dir, "relaxed");
        await load(store, 0, ENTRIES);
        await store.close();
        const again = await system.open(dir, "relaxed");
        expect(await keysOf(again, { by: "pages" })).toEqual(SORTED);
        await again.close();
      },
    );
  });
}

test("a page's end is no end of the scan", async () => {
  for (const system of SYSTEMS.filter(({ kind }) => kind !== "raw")) {
    if ((await whyMissing(system)) !== undefined) continue;
    const store = await system.open(join(root, `${system.name}-long`), "relaxed");
    await load(store, 0, 2500);
    expect(await keysOf(store, { by: "pages" }), system.name).toHaveLength(2500);
    await store.close();
  }
});

test("a binary for another Node is a peer that is missing; any other error is told as it is", () => {
  const failing = (code: string) => () =>
    openWithBinary("some-peer", () => {
      throw Object.assign(new Error("compiled against a different Node.js version"), { code });
    });
  expect(failing("ERR_DLOPEN_FAILED")).toThrow(PeerMissing);
  expect(failing("ERR_DLOPEN_FAILED")).toThrow(/^the binary of some-peer cannot be loaded: .*different Node/);
  expect(failing("SQLITE_CANTOPEN")).not.toThrow(PeerMissing);
  expect(openWithBinary("some-peer", () => 7)).toBe(7);
});
