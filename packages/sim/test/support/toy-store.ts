import type { Disk } from "@kaya/io";
import type { Check, History } from "../../src/explorer/index.js";

/** Saves a value so that it is durable when it resolves, or claims to. */
export type Save = (disk: Disk, value: number) => Promise<void>;

const encode = (value: number) => Buffer.from(`value ${value}`.padEnd(700, "."));

async function write(disk: Disk, path: string, value: number, sync: boolean): Promise<void> {
  const file = await disk.open(path, { create: true });
  await file.truncate(0);
  await file.append(encode(value));
  if (sync) await file.sync();
  await file.close();
}

/** The right way to replace a file, and the ways in which it is got wrong. */
export const SAVES = {
  right: async (disk, value) => {
    await write(disk, "value.tmp", value, true);
    await disk.rename("value.tmp", "value");
    await disk.syncDir("");
  },
  "no fsync": async (disk, value) => {
    await write(disk, "value.tmp", value, false);
    await disk.rename("value.tmp", "value");
    await disk.syncDir("");
  },
  "no directory fsync": async (disk, value) => {
    await write(disk, "value.tmp", value, true);
    await disk.rename("value.tmp", "value");
  },
  "directory fsync not waited for": async (disk, value) => {
    await write(disk, "value.tmp", value, true);
    await disk.rename("value.tmp", "value");
    void disk.syncDir("");
  },
  "rename before sync": async (disk, value) => {
    await write(disk, "value.tmp", value, false);
    await disk.rename("value.tmp", "value");
    await write(disk, "value", value, true);
    await disk.syncDir("");
  },
  "overwritten in place": async (disk, value) => {
    await write(disk, "value", value, true);
    await disk.syncDir("");
  },
} as const satisfies Record<string, Save>;

export function saveThrice(save: Save): (disk: Disk, history: History<number>) => Promise<void> {
  return async (disk, history) => {
    for (const value of [1, 2, 3]) {
      history.attempt(value);
      await save(disk, value);
      history.acknowledge(value);
    }
  };
}

/** One of the attempted values is there, whole, and none older than the last acknowledged one. */
export const checkValue: Check<number> = async (disk, view) => {
  const bytes = disk.readFile("value");
  const least = Math.max(0, ...view.acknowledged);
  if (bytes === undefined && least === 0) return;
  const value = [1, 2, 3].find((candidate) => Buffer.compare(bytes ?? Buffer.of(), encode(candidate)) === 0);
  if (value === undefined) throw new Error(`the file is ${bytes === undefined ? "gone" : "damaged"}`);
  if (value < least || !view.attempted.includes(value)) throw new Error(`found ${value}, not ${least}`);
};

const GOOD = Buffer.from("good");
const BAD = Buffer.from("damaged rest");

/** Cuts what is damaged off a log, and keeps a copy: in this order, or the other way round. */
export function repairLog(order: "copy first" | "cut first"): Check<never> {
  return async (disk) => {
    const log = await disk.open("log");
    const length = await log.length();
    const rest = new Uint8Array(Math.max(0, length - GOOD.length));
    await log.readAt(GOOD.length, rest);
    const cut = async () => {
      await log.truncate(GOOD.length);
      await log.sync();
    };
    if (rest.length > 0 && order === "cut first") await cut();
    if (rest.length > 0) await keep(disk, rest);
    if (rest.length > 0 && order === "copy first") await cut();
    const kept = disk.readFile("kept");
    if (kept === undefined || Buffer.compare(kept, BAD) !== 0) throw new Error("what was cut is nowhere");
  };
}

async function keep(disk: Disk, bytes: Uint8Array): Promise<void> {
  const copy = await disk.open("kept.tmp", { create: true });
  await copy.truncate(0);
  await copy.append(bytes);
  await copy.sync();
  await disk.rename("kept.tmp", "kept");
  await disk.syncDir("");
}

export const DAMAGED_LOG = Buffer.concat([GOOD, BAD]);
