import { spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { cpSync, mkdirSync, renameSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Disk, type DiskFile, NodeDisk } from "@kaya/io";
// As its users have it: a worker is started from a built file.
import { type CompactionMessage, LSM_CHANNELS, type LsmOptions, LsmTree, PUT } from "@kaya/lsm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const OPTIONS: LsmOptions = { autoCompact: false, tableBytes: 2 ** 19, quietMs: 0, worker: true };
const ENTRIES = 20_000;

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "kaya-worker-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const key = (n: number) => Buffer.from(`key${String(n).padStart(8, "0")}`);

function* entries(round: number) {
  const value = Buffer.alloc(100, round);
  for (let n = 0; n < ENTRIES; n++)
    yield { key: key(n), kind: PUT, sequence: round * ENTRIES + n + 1, value };
}

async function filled(disk: Disk, options: LsmOptions = OPTIONS): Promise<LsmTree> {
  const tree = await LsmTree.open(disk, options);
  for (let round = 0; round < 2; round++) {
    const covered = { lsn: (round + 1) * ENTRIES, sequence: (round + 1) * ENTRIES };
    await tree.flush({ entries: entries(round) }, covered);
  }
  return tree;
}

async function mustHaveAll(tree: LsmTree): Promise<void> {
  const cursor = tree.cursor();
  let n = 0;
  for (let more = await cursor.seekFirst(); more; more = await cursor.next(), n++) {
    if (Buffer.compare(cursor.key, key(n)) !== 0 || cursor.value[50] !== 1)
      throw new Error(`entry ${n} is ${Buffer.from(cursor.key)}`);
  }
  cursor.close();
  expect(n).toBe(ENTRIES);
}

const files = async () => (await readdir(join(root, "sst"))).length;

describe("compaction on a worker", () => {
  it("gives what compaction in the loop gives, and keeps the event loop free", async () => {
    const tree = await filled(new NodeDisk(root));
    let turns = 0;
    let isDone = false;
    const count = () => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const told: CompactionMessage[] = [];
    const listen = (message: unknown) => told.push(message as CompactionMessage);
    subscribe(LSM_CHANNELS.compaction, listen);
    await tree.compact();
    unsubscribe(LSM_CHANNELS.compaction, listen);
    isDone = true;
    await mustHaveAll(tree);
    expect(tree.stats().levels).toMatchObject([{ level: 6, entries: ENTRIES }]);
    expect(told.slice(-2).map(({ phase, kind }) => [phase, kind])).toEqual([
      ["started", "merge"],
      ["finished", "merge"],
    ]);
    expect(turns).toBeGreaterThan(10);
    await tree.close();
    expect(await files()).toBe(tree.stats().tables);
  });

  it("is done in the loop where a worker is lost, and nothing of the worker's stays", async () => {
    const disk = new NodeDisk(root);
    const tree = await filled(disk, { ...OPTIONS, blockBytes: 512 });
    await tree.close();
    // What ends a worker at its start, as a policy of the process might.
    const again = await LsmTree.open(disk, OPTIONS);
    const before = process.execArgv;
    process.execArgv = [...before, "--import", "data:text/javascript,process.exit(3)"];
    try {
      await again.compact();
    } finally {
      process.execArgv = before;
    }
    await mustHaveAll(again);
    await again.close();
    expect(await files()).toBe(again.stats().tables);
  });

  it("ends with the tree, changes nothing then, and leaves nothing behind", async () => {
    const tree = await filled(new NodeDisk(root));
    const compacting = tree.compact().catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await tree.close();
    const error = await compacting;
    if (error === undefined) expect(tree.stats().levels).toMatchObject([{ level: 6 }]);
    else expect(error).toMatchObject({ code: "KAYA_CLOSED" });
    const again = await LsmTree.open(new NodeDisk(root), OPTIONS);
    await mustHaveAll(again);
    await again.close();
    expect(await files()).toBe(again.stats().tables);
  });

  it("loses nothing where the process is killed meanwhile, and leaves nothing behind after the next opening", async () => {
    const program = `
      import { NodeDisk } from "@kaya/io";
      import { LsmTree } from "@kaya/lsm";
      const tree = await LsmTree.open(new NodeDisk(${JSON.stringify(root)}), ${JSON.stringify({ ...OPTIONS })});
      process.stdout.write("open");
      for (;;) await tree.compact();
    `;
    await (await filled(new NodeDisk(root))).close();
    for (const after of [20, 60, 120]) {
      const cwd = fileURLToPath(new URL("..", import.meta.url));
      const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
        cwd,
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(child.stdout, "data");
      await new Promise((resolve) => setTimeout(resolve, after));
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      const tree = await LsmTree.open(new NodeDisk(root), OPTIONS);
      await mustHaveAll(tree);
      await tree.close();
      expect(await files()).toBe(tree.stats().tables);
    }
  });

  it("keeps no process that has nothing else to do, and one that waits for it", async () => {
    const run = async (last: string) => {
      const program = `
        import { NodeDisk } from "@kaya/io";
        import { LsmTree } from "@kaya/lsm";
        const tree = await LsmTree.open(new NodeDisk(${JSON.stringify(root)}), ${JSON.stringify({ ...OPTIONS, autoCompact: true, level0Tables: 1, level0Stop: 2 })});
        ${last}
      `;
      const cwd = fileURLToPath(new URL("..", import.meta.url));
      const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
        cwd,
        stdio: ["ignore", "pipe", "inherit"],
      });
      let said = "";
      child.stdout.on("data", (chunk) => {
        said += chunk;
      });
      const [code] = await once(child, "exit");
      return { code, said };
    };
    await (await filled(new NodeDisk(root))).close();
    expect(await run("")).toEqual({ code: 0, said: "" });
    expect(await run('await tree.compact(); process.stdout.write("done")')).toEqual({
      code: 0,
      said: "done",
    });
  });

  it.each([
    ["before the worker has begun", 0],
    ["while it merges", 60],
  ])("writes nothing into another directory that gets the path %s", async (_when, ms) => {
    const disk = new NodeDisk(root);
    const tree = await filled(disk, { ...OPTIONS, blockBytes: 512 });
    const away = `${root}-away`;
    const replace = () => {
      renameSync(root, away);
      mkdirSync(root);
      cpSync(join(away, "sst"), join(root, "sst"), { recursive: true });
    };
    const before = await files();
    let isReplaced = false;
    const replaceOnce = (message: unknown) => {
      if ((message as CompactionMessage).phase !== "started" || isReplaced) return;
      isReplaced = true;
      if (ms === 0)
        setImmediate(replace); // the plan is made and sent by then, the worker has not looked at the disk
      else setTimeout(replace, ms);
    };
    subscribe(LSM_CHANNELS.compaction, replaceOnce);
    const error = await tree.compact().catch((thrown: unknown) => thrown);
    unsubscribe(LSM_CHANNELS.compaction, replaceOnce);
    try {
      expect(error).toMatchObject({ code: "KAYA_DIRECTORY_REPLACED" });
      expect(await files()).toBe(before);
      expect(await readdir(root)).toEqual(["sst"]);
      await tree.close();
      const moved = await LsmTree.open(new NodeDisk(away), OPTIONS);
      await mustHaveAll(moved);
      await moved.close();
    } finally {
      await rm(away, { recursive: true, force: true });
    }
  });

  it("is not used where the disk is another one over a directory: that may do more", async () => {
    const inner = new NodeDisk(root);
    const written = new Set<string>();
    const disk = new Proxy(inner, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== "function") return value;
        return async (path: string, ...rest: unknown[]) => {
          if (name === "open" && (rest[0] as { create?: boolean } | undefined)?.create) written.add(path);
          return (await value.call(target, path, ...rest)) as DiskFile;
        };
      },
      getPrototypeOf: () => Object.prototype,
    });
    const tree = await filled(disk as Disk);
    const before = written.size;
    await tree.compact();
    expect(written.size).toBeGreaterThan(before);
    await tree.close();
  });
});
