import { execFileSync } from "node:child_process";
import { fstatSync } from "node:fs";
import { chmod, chown, mkdir, open, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { NodeDisk } from "../src/index.js";
import { forDirectory, giveTo } from "../src/ownership.js";
import { temporaryDirectories } from "./temporary-directory.js";

vi.setConfig({ testTimeout: 120_000 });

const SERVICE = 65534;
const OTHER = 12345;

const directories = temporaryDirectories();
afterAll(() => directories.remove());

async function look(name: string): Promise<string> {
  const { uid, gid, mode } = await stat(name);
  return `${uid}:${gid} ${(mode & 0o777).toString(8)}`;
}

async function make(disk: NodeDisk, path: string, like?: string): Promise<string> {
  await (await disk.open(path, { create: true, ...(like !== undefined && { like }) })).close();
  return look(join(disk.root, path));
}

/** A data directory of the service, with a lock file of that mode. */
async function serviceDirectory(lockMode?: number): Promise<string> {
  const parent = await directories.make();
  await chmod(parent, 0o755); // for processes of another user
  const root = join(parent, "data");
  await mkdir(root);
  await chown(root, SERVICE, SERVICE);
  if (lockMode === undefined) return root;
  await writeFile(join(root, "LOCK"), "");
  await chown(join(root, "LOCK"), SERVICE, SERVICE);
  await chmod(join(root, "LOCK"), lockMode);
  return root;
}

async function lockedDisk(root: string): Promise<NodeDisk> {
  const disk = new NodeDisk(root);
  await (await disk.lock("LOCK")).release();
  return disk;
}

// Giving files away takes root: elsewhere these are skipped, and the case of no permission below remains.
describe.skipIf(process.getuid?.() !== 0)("who a new file belongs to (as root)", () => {
  it("is the owner of the directory where nothing else is there; so with the lock's file", async () => {
    const root = await serviceDirectory();
    const disk = new NodeDisk(root);
    expect(await make(disk, "file")).toMatch(/^65534:65534 /);
    expect(await make(disk, "below/file")).toMatch(/^65534:65534 /);
    expect(await look(join(root, "below"))).toMatch(/^65534:65534 /);
    await (await disk.lock("LOCK")).release();
    expect(await look(join(root, "LOCK"))).toMatch(/^65534:65534 /);
  });

  it("and its mode, are those of the lock's file; a directory can be entered by whoever may read it", async () => {
    for (const [mode, file, directory] of [
      [0o600, "600", "700"],
      [0o640, "640", "750"],
      [0o664, "664", "775"],
    ] as const) {
      const disk = await lockedDisk(await serviceDirectory(mode));
      expect(await make(disk, "a/b/file")).toBe(`65534:65534 ${file}`);
      for (const made of ["a", "a/b"])
        expect(await look(join(disk.root, made))).toBe(`65534:65534 ${directory}`);
    }
  });

  it("and its mode, are those of the file that it takes the place of", async () => {
    const disk = await lockedDisk(await serviceDirectory(0o600));
    await make(disk, "replaced");
    await chown(join(disk.root, "replaced"), OTHER, SERVICE);
    await chmod(join(disk.root, "replaced"), 0o4664);
    expect(await make(disk, "replaced.tmp", "replaced")).toBe(`${OTHER}:65534 664`);
    expect((await stat(join(disk.root, "replaced.tmp"))).mode & 0o7000).toBe(0);
    expect(await make(disk, "new", "absent")).toBe("65534:65534 600");
  });

  it("is never taken from what a link leads to, and a file that is there is left as it is", async () => {
    const disk = await lockedDisk(await serviceDirectory(0o600));
    await writeFile(join(disk.root, "theirs"), "");
    await chown(join(disk.root, "theirs"), OTHER, OTHER);
    await symlink("theirs", join(disk.root, "link"));
    expect(await make(disk, "new", "link")).toBe("65534:65534 600");
    expect(await make(disk, "theirs", "new")).toMatch(new RegExp(`^${OTHER}:${OTHER} `));
  });

  it("keeps the bit by which a directory hands its group on", async () => {
    const root = await serviceDirectory(0o640);
    await chmod(root, 0o2770);
    const disk = await lockedDisk(root);
    await make(disk, "below/file");
    expect((await stat(join(root, "below"))).mode & 0o7777).toBe(0o2750);
  });

  it("is the process where it may not give files away: no error, and no group gets more than everybody", async () => {
    const root = await serviceDirectory(0o660);
    await chmod(root, 0o777);
    const script = `
      import { NodeDisk } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
      await (await new NodeDisk(${JSON.stringify(root)}).open("file", { create: true, like: "LOCK" })).close();`;
    execFileSync(process.execPath, ["--input-type=module", "-e", script], {
      uid: OTHER,
      gid: OTHER,
      cwd: "/",
    });
    expect(await look(join(root, "file"))).toBe(`${OTHER}:${OTHER} 600`);
  });

  it("is the group at least, where the process is in it", async () => {
    const root = await serviceDirectory(0o660);
    await chmod(root, 0o770);
    const script = `
      process.setgroups([${SERVICE}]); process.setgid(${OTHER}); process.setuid(${OTHER}); process.umask(0o077);
      const { NodeDisk } = await import(${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)});
      const disk = new NodeDisk(${JSON.stringify(root)});
      await (await disk.lock("LOCK")).release();
      await (await disk.open("below/file", { create: true })).close();`;
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: "/" });
    expect(await look(join(root, "below/file"))).toBe(`${OTHER}:65534 660`);
    expect(await look(join(root, "below"))).toBe(`${OTHER}:65534 770`);
  });
});

describe("what cannot be changed", () => {
  it("is an error only where it should have been possible", async () => {
    const name = join(await directories.make(), "file");
    const handle = await open(name, "w");
    const refusing = (code: string) => {
      const refuse = () => {
        throw Object.assign(new Error(code), { code });
      };
      return { stat: fstatSync, chown: refuse, chmod: refuse };
    };
    const like = { uid: OTHER, gid: OTHER, mode: 0o751 };
    giveTo(handle.fd, like, refusing("EPERM"));
    expect(() => giveTo(handle.fd, like, refusing("EIO"))).toThrow(expect.objectContaining({ code: "EIO" }));
    await handle.close();
  });

  it("a directory that nobody but the owner may read is entered by nobody else", () => {
    expect(forDirectory({ uid: 1, gid: 2, mode: 0o600 }).mode).toBe(0o700);
    expect(forDirectory({ uid: 1, gid: 2, mode: 0o644 }).mode).toBe(0o755);
    expect(forDirectory({ uid: 1, gid: 2 })).toEqual({ uid: 1, gid: 2 });
  });
});
