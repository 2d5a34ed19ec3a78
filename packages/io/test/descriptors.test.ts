import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it, vi } from "vitest";
import { temporaryDirectories } from "./temporary-directory.js";

vi.setConfig({ testTimeout: 120_000 });

const PROGRAM = fileURLToPath(new URL("./descriptors.mjs", import.meta.url));

const directories = temporaryDirectories();
afterAll(() => directories.remove());

it.skipIf(process.platform === "win32")(
  "a process without free descriptors: what is held open is synced, what must be opened is KAYA_IO, and all goes on afterwards",
  async () => {
    const root = await directories.make();
    const script = `ulimit -n 64 && exec "$0" "$@"`; // so that they are used up at once
    const { stdout, stderr } = spawnSync("sh", ["-c", script, process.execPath, PROGRAM, root], {
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    const outcomes = stdout.trim().split("\n");
    expect(outcomes.slice(0, 9)).toEqual([
      "all used: EMFILE",
      "syncDir of what something was made in: done",
      "syncDir of the root: done",
      "remove: done",
      "sync: done",
      "syncDir of another directory: KAYA_IO EMFILE",
      "create: KAYA_IO EMFILE",
      "create in a new directory: KAYA_IO EMFILE",
      "list: KAYA_IO EMFILE",
    ]);
    expect(outcomes.slice(9).map((line) => line.split(": ")[1])).toEqual(new Array(8).fill("done"));
  },
);
