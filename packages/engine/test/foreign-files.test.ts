import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SimDisk } from "@kaya/io";
import { afterAll, describe, expect, it } from "vitest";
import { Engine, recover } from "../src/index.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { keysOf, rejection } from "./support/text.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

/** A directory with these files: a name that ends with a slash is a directory. */
async function holding(files: Readonly<Record<string, string>>): Promise<string> {
  const dir = await directories.make();
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, name);
    await mkdir(name.endsWith("/") ? path : join(path, ".."), { recursive: true });
    if (!name.endsWith("/")) await writeFile(path, content);
  }
  return dir;
}

async function treeOf(dir: string): Promise<Record<string, string>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(
    await Promise.all(files.map(async (file) => [file, await readFile(file, "latin1")])),
  );
}

const NOTE = `${"pid=1 boot=unknown state=open".padEnd(127)}\n`;
const OWN_SEGMENT = "wal/0000000000000001.wal";

describe("a directory that holds files of somebody else, and nothing of ours", () => {
  it.each<[what: string, files: Record<string, string>, foreign: string]>([
    ["files", { passwd: "root", hosts: "" }, "hosts"],
    ["a directory with files", { "conf.d/a": "" }, "conf.d"],
    ["a LevelDB", { LOCK: "", CURRENT: "MANIFEST-000002\n", "000003.log": "" }, "000003.log"],
    ["a LOCK that no engine wrote, and a file", { LOCK: "pid 12", "data.db": "" }, "data.db"],
    ["a log that is somebody else's", { "wal/00000001.log": "x" }, "wal/00000001.log"],
    ["a LOCK alone that no engine wrote", { LOCK: "12345\n" }, "LOCK"],
    [
      "an empty LOCK beside directories that only have our names",
      { LOCK: "", "wal/00000000": "x", "sst/model.pt": "x" },
      "sst/model.pt",
    ],
    ["a file that has the name of a directory of ours", { sst: "x" }, "sst"],
    ["a directory that has the name of a file of ours", { "consumers/index.js": "x" }, "consumers"],
    ["tables that are somebody else's", { "sst/1": "x" }, "sst/1"],
    ["manifests that are somebody else's", { "manifest/1": "x" }, "manifest/1"],
    [
      "files beside empty directories of ours",
      { "wal/": "", "manifest/": "", "sst/": "", "notes.txt": "" },
      "notes.txt",
    ],
  ])("is refused, named and not changed: %s", async (_what, files, foreign) => {
    const dataDir = await holding(files);
    const before = await treeOf(dataDir);
    for (const attempt of [
      () => Engine.open({ dataDir }),
      () => Engine.open({ dataDir, disableLocking: true }),
      () => recover({ dataDir }),
    ]) {
      const error = await rejection("KAYA_INVALID_ARGUMENT", attempt());
      expect(error.message).toContain(`it holds ${foreign},`);
      expect(error.message).toContain("allowForeignFiles");
    }
    expect(await treeOf(dataDir)).toEqual(before);
  });

  it("is opened where the configuration says so, and then it is ours", async () => {
    const dataDir = await holding({ "notes.txt": "mine" });
    const engine = await Engine.open({ dataDir, allowForeignFiles: true });
    await engine.close(); // without a write: the lock's note is all that there is of it
    const again = await Engine.open({ dataDir });
    await again.put("a", "1");
    await again.close();
    expect(await readFile(join(dataDir, "notes.txt"), "utf8")).toBe("mine");
  });

  it("is refused on every disk", async () => {
    const disk = new SimDisk();
    disk.writeFile("CURRENT", Buffer.from("x"));
    await rejection("KAYA_INVALID_ARGUMENT", Engine.open({}, disk));
    expect((await disk.list("")).map(({ path }) => path)).toEqual(["CURRENT"]);
    const allowed = await Engine.open({ allowForeignFiles: true }, disk);
    await allowed.close();
    await (await Engine.open({}, disk)).close();
  });
});

describe("a directory that is taken", () => {
  it.each<[what: string, files: Record<string, string>]>([
    ["an empty one", {}],
    ["a new file system's root", { "lost+found/": "" }],
    ["one with empty directories", { "a/": "", "wal/": "", "manifest/": "", "sst/": "" }],
    ["one with a LOCK alone", { LOCK: "" }],
    ["one that was opened, with a stray file", { LOCK: NOTE, "notes.txt": "" }],
  ])("is opened: %s", async (_what, files) => {
    const dataDir = await holding(files);
    const engine = await Engine.open({ dataDir });
    await engine.put("a", "1");
    await engine.close();
  });

  it("may hold stray files beside its data, also where its LOCK was removed", async () => {
    const source = await directories.make();
    const engine = await Engine.open({ dataDir: source });
    await engine.put("a", "1");
    await engine.close();
    const segment = await readFile(join(source, OWN_SEGMENT), "latin1");
    const dataDir = await directories.make();
    await mkdir(join(dataDir, "wal"));
    await writeFile(join(dataDir, OWN_SEGMENT), segment, "latin1");
    await writeFile(join(dataDir, "README"), "restored by hand");
    const again = await Engine.open({ dataDir });
    expect(await keysOf(again.scan())).toEqual(["a"]);
    await again.close();
  });
});
