import assert from "node:assert/strict";
import type { Disk } from "../disk.js";
import { type Check, rejectsWith } from "./check.js";

const FORBIDDEN: readonly string[] = [
  "/etc/passwd",
  "..",
  "a/../../b",
  "a/..",
  "C:/x",
  "c:x",
  "./C:",
  "a\\b",
  "a\0b",
  "\0",
];
const NO_FILE: readonly string[] = ["", ".", "./", ".//."];

type Method = readonly [name: string, call: (disk: Disk, path: string) => Promise<unknown>];

const FILE_METHODS: readonly Method[] = [
  ["open", (disk, path) => disk.open(path)],
  ["creating open", (disk, path) => disk.open(path, { create: true })],
  ["rename from", (disk, path) => disk.rename(path, "target")],
  ["rename to", (disk, path) => disk.rename("source", path)],
  ["remove", (disk, path) => disk.remove(path)],
  ["lock", (disk, path) => disk.lock(path)],
];

const DIRECTORY_METHODS: readonly Method[] = [
  ["list", (disk, path) => disk.list(path)],
  ["syncDir", (disk, path) => disk.syncDir(path)],
];

export const pathChecks: readonly Check[] = [
  ...[...FILE_METHODS, ...DIRECTORY_METHODS].map(([name, call]) => ({
    name: `${name} refuses paths that are absolute, with a drive, "..", a backslash or NUL`,
    run: ({ disk }: { readonly disk: Disk }) => refuses(disk, call, FORBIDDEN),
  })),
  ...FILE_METHODS.map(([name, call]) => ({
    name: `${name} refuses the root as a file`,
    run: ({ disk }: { readonly disk: Disk }) => refuses(disk, call, NO_FILE),
  })),
];

async function refuses(disk: Disk, call: Method[1], paths: readonly string[]): Promise<void> {
  await (await disk.open("source", { create: true })).close();
  for (const path of paths) await rejectsWith("KAYA_INVALID_ARGUMENT", call(disk, path));
  await rejectsWith("KAYA_INVALID_ARGUMENT", call(disk, 7 as unknown as string));
  assert.deepEqual(
    (await disk.list("")).map((entry) => entry.path),
    ["source"],
  );
}
