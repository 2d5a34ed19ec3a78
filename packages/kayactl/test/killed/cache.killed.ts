import assert from "node:assert/strict";
import { type Codec, Engine, json } from "@kaya/engine";
import { Cache } from "./cache.js";
import type { Say } from "./main.js";

interface Value {
  readonly key: string;
  readonly version: number;
  readonly filler: string;
}

const OPTIONS = { ttlMs: 3_600_000, maxBytes: 3000, value: json<Value>() as Codec<Value> };
const KEYS = 40;

export async function check(dataDir: string, said: readonly string[]): Promise<void> {
  await using db = await Engine.open({ dataDir });
  const versions = new Map(said.map((line) => line.split(" ") as [string, string]));
  let bytes = 0;
  for await (const { key, value } of db.scan({ prefix: "cache:" })) {
    bytes += value.length;
    const name = Buffer.from(key).toString().slice("cache:".length);
    const { key: of, version }: Value = JSON.parse(Buffer.from(value).toString());
    assert.equal(of, name, "a value is under another key");
    assert(version >= Number(versions.get(name) ?? 0), `${name} is older than what was set`);
  }
  assert(bytes <= OPTIONS.maxBytes, `${bytes} bytes are over the bound`);
  assert(said.length === 0 || bytes > 0, "nothing is left");
}

export async function work(dataDir: string, say: Say): Promise<void> {
  const cache = await Cache.open<Value>(await Engine.open({ dataDir }), OPTIONS);
  const begin = Date.now();
  for (let number = 0; ; number += 8) {
    const set = async (version: number) => {
      const key = `key-${(version * 7) % KEYS}`;
      cache.get(`key-${version % KEYS}`);
      await cache.set(key, { key, version, filler: "x".repeat(version % 200) });
      say(`${key} ${version}`);
    };
    await Promise.all(Array.from({ length: 8 }, (_, index) => set(begin + number + index)));
  }
}
