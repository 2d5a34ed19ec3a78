import { randomFillSync } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Engine } from "@kaya/engine";

const MOST_KEYS = 100_000;
const MOST_LIVE_BYTES = 64 * 1024 * 1024;
const KEY_DIGITS = 12;

/** A store of the bench's own, with the settings that a program has by default. */
export class BenchStore {
  /** Where other files may be written on the same disk. */
  readonly directory: string;
  readonly #keys: number;
  readonly #value: Uint8Array;
  #engine: Engine;
  #puts = 0;

  private constructor(directory: string, engine: Engine, valueBytes: number) {
    this.directory = directory;
    this.#engine = engine;
    this.#value = randomFillSync(new Uint8Array(valueBytes));
    this.#keys = Math.max(1, Math.min(MOST_KEYS, Math.floor(MOST_LIVE_BYTES / (valueBytes + KEY_DIGITS))));
  }

  /** @param directory which is its own, and there */
  static async open(directory: string, valueBytes: number): Promise<BenchStore> {
    await mkdir(join(directory, "data"));
    return new BenchStore(directory, await openIn(directory), valueBytes);
  }

  /** Keys that have a value. */
  get entries(): number {
    return Math.min(this.#puts, this.#keys);
  }

  /** In the order of the keys, over and over. */
  put(durability: "strict" | "relaxed"): Promise<unknown> {
    return this.#engine.put(keyOf(this.#puts++ % this.#keys), this.#value, { durability });
  }

  /** Of a random key that has a value. */
  get(): Promise<Uint8Array | undefined> {
    return this.#engine.get(keyOf(Math.floor(Math.random() * this.entries)));
  }

  pages(): AsyncIterable<readonly unknown[]> {
    return this.#engine.scan().pages(1000);
  }

  /** How long an opening takes after a clean close, in milliseconds. */
  async reopen(): Promise<number> {
    await this.#engine.close();
    const started = performance.now();
    this.#engine = await openIn(this.directory);
    return performance.now() - started;
  }

  /** Everything so far is on stable storage. */
  sync(): Promise<unknown> {
    return this.#engine.sync();
  }

  /** Closes it. It is going to be removed: what a close could not write is not missed. */
  async close(): Promise<void> {
    await this.#engine.close().catch(() => undefined);
  }
}

function openIn(directory: string): Promise<Engine> {
  return Engine.open({ dataDir: join(directory, "data") });
}

function keyOf(number: number): string {
  return String(number).padStart(KEY_DIGITS, "0");
}
