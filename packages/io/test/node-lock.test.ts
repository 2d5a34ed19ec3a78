import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { NodeDisk, readLockHolder } from "../src/index.js";
import { rejectsWith } from "../src/testing/check.js";
import { temporaryDirectories } from "./temporary-directory.js";

vi.setConfig({ testTimeout: 120_000 });

const HOLDER = fileURLToPath(new URL("./lock-holder.mjs", import.meta.url));

const FORGETTER = fileURLToPath(new URL("./lock-forgetter.mjs", import.meta.url));

const directories = temporaryDirectories();
const holders: ChildProcessWithoutNullStreams[] = [];

async function holdElsewhere(root: string): Promise<{ child: ChildProcessWithoutNullStreams; said: string }> {
  const child = spawn(process.execPath, [HOLDER, root, "LOCK"]);
  holders.push(child);
  let errors = "";
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const said = await Promise.race([
    once(child.stdout, "data").then(([chunk]) => String(chunk).trim()),
    once(child, "close").then(() => Promise.reject(new Error(`the lock holder ended: ${errors}`))),
  ]);
  return { child, said };
}

async function end(child: ChildProcessWithoutNullStreams, how: "SIGKILL" | "release clean"): Promise<void> {
  const exited = once(child, "exit");
  if (how === "SIGKILL") child.kill("SIGKILL");
  else child.stdin.write(`${how}\n`);
  await exited;
}

afterEach(() => {
  for (const child of holders.splice(0)) child.kill("SIGKILL");
});
afterAll(() => directories.remove());

describe("the holder of a lock", () => {
  it("is read without the lock: who has it, and how the last one left it", async () => {
    const root = await directories.make();
    const path = join(root, "LOCK");
    expect(await readLockHolder(path)).toBeUndefined();
    const { child } = await holdElsewhere(root);
    expect(await readLockHolder(path)).toEqual({ pid: child.pid, state: "held" });
    await end(child, "release clean");
    expect(await readLockHolder(path)).toEqual({ pid: child.pid, state: "clean" });
    const lock = await new NodeDisk(root).lock("LOCK");
    expect(await readLockHolder(path)).toEqual({ pid: process.pid, state: "held" });
    await lock.release({ clean: true });

    const next = await holdElsewhere(root);
    await end(next.child, "SIGKILL");
    expect(await readLockHolder(path)).toEqual({ pid: next.child.pid, state: "left" });
  });

  it("is nobody where the file says nothing", async () => {
    const root = await directories.make();
    for (const text of ["", "pid=1", "what is this?\n"]) {
      await writeFile(join(root, "LOCK"), text);
      expect(await readLockHolder(join(root, "LOCK"))).toBeUndefined();
    }
    await rejectsWith("KAYA_INVALID_ARGUMENT", readLockHolder(root));
  });

  it("is gone after a start of the machine, whoever has its id now", async () => {
    const root = await directories.make();
    const boot = "00000000-0000-0000-0000-000000000000";
    await writeFile(join(root, "LOCK"), `pid=${process.pid} boot=${boot} state=open\n`);
    const state = process.platform === "linux" ? "left" : "held"; // only Linux names its boots
    expect(await readLockHolder(join(root, "LOCK"))).toEqual({ pid: process.pid, state });
  });
});

describe("NodeDisk's lock", () => {
  it("names the pid of the other process that holds it", async () => {
    const root = await directories.make();
    const { child } = await holdElsewhere(root);
    const conflict = new NodeDisk(root).lock("LOCK");
    await rejectsWith("KAYA_LOCK_CONFLICT", conflict);
    await expect(conflict).rejects.toThrow(`process ${child.pid}`);
  });

  it("goes when its process is killed, and the next start is not clean", async () => {
    const root = await directories.make();
    await (await new NodeDisk(root).lock("LOCK")).release({ clean: true });
    const { child, said } = await holdElsewhere(root);
    expect(said).toBe("cleanStart=true");
    await end(child, "SIGKILL");
    const lock = await new NodeDisk(root).lock("LOCK");
    expect(lock.cleanStart).toBe(false);
    await lock.release();
  });

  it("tells the next process that it was released as clean", async () => {
    const root = await directories.make();
    const { child, said } = await holdElsewhere(root);
    expect(said).toBe("cleanStart=false");
    await end(child, "release clean");
    const lock = await new NodeDisk(root).lock("LOCK");
    expect(lock.cleanStart).toBe(true);
    await lock.release();
  });

  it("says that this process holds it where it does", async () => {
    const root = await directories.make();
    const lock = await new NodeDisk(root).lock("LOCK");
    await expect(new NodeDisk(root).lock("LOCK")).rejects.toThrow(`this process (pid ${process.pid})`);
    await lock.release();
  });

  it.each([
    ["an empty file", ""],
    ["anything else", "pid=banana\n".repeat(100)],
    ["a note of this boot that is cut short", "pid=1 boot=x state=cl"],
  ])("trusts nothing where the lock file holds %s", async (_what, content) => {
    const root = await directories.make();
    await writeFile(join(root, "LOCK"), content);
    const lock = await new NodeDisk(root).lock("LOCK");
    expect(lock.cleanStart).toBe(false);
    await lock.release({ clean: true });
    const next = await new NodeDisk(root).lock("LOCK");
    expect(next.cleanStart).toBe(true);
    await next.release();
  });

  it.skipIf(process.platform !== "linux")(
    "does not start clean because the boot is another one: a container has boots of its own",
    async () => {
      const note = async (text: string) => {
        const root = await directories.make();
        await writeFile(join(root, "LOCK"), `${text.padEnd(127)}\n`);
        const lock = await new NodeDisk(root).lock("LOCK");
        await lock.release();
        return { cleanStart: lock.cleanStart, mark: lock.mark };
      };
      const otherBoot = "pid=1 boot=00000000-0000-4000-8000-000000000000";
      expect(await note(`${otherBoot} state=open`)).toEqual({ cleanStart: false, mark: undefined });
      expect(await note(`${otherBoot} state=clean mark=m`)).toEqual({ cleanStart: true, mark: "m" });
    },
  );

  it("says with a KayaError what keeps it from being released, and lets go all the same", async () => {
    const root = await directories.make();
    const lock = await new NodeDisk(root).lock("LOCK");
    // What a full disk gives where not even the empty note fits.
    const full = async () => Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }));
    const probe = await open(join(root, "LOCK"));
    const { write, truncate } = Object.getPrototypeOf(probe);
    Object.assign(Object.getPrototypeOf(probe), { write: full, truncate: full });
    try {
      await rejectsWith("KAYA_DISK_FULL", lock.release({ clean: true }));
    } finally {
      Object.assign(Object.getPrototypeOf(probe), { write, truncate });
      await probe.close();
    }
    await (await new NodeDisk(root).lock("LOCK")).release();
  });

  it("is held for as long as the process lives where nobody refers to it any more", async () => {
    const root = await directories.make();
    const child = spawn(process.execPath, ["--expose-gc", FORGETTER, root]);
    holders.push(child);
    let warned = "";
    child.stderr.on("data", (text) => {
      warned += text;
    });
    const [said] = await once(child.stdout, "data");
    expect(String(said)).toBe("garbage was collected\n");
    expect(warned).toBe(""); // Node warns where it closes a file that was forgotten
    await rejectsWith("KAYA_LOCK_CONFLICT", new NodeDisk(root).lock("LOCK"));
    await end(child, "SIGKILL");
    await (await new NodeDisk(root).lock("LOCK")).release();
  });
});
