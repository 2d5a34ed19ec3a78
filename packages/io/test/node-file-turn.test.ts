import { afterAll, describe, expect, it } from "vitest";
import { NodeDisk } from "../src/index.js";
import { pattern, readAll, text } from "../src/testing/check.js";
import { temporaryDirectories } from "./temporary-directory.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

async function newDisk(): Promise<NodeDisk> {
  return new NodeDisk(await directories.make());
}

describe("small appends, which need no other thread", () => {
  it("let timers run, however long a loop of them goes on", async () => {
    const file = await (await newDisk()).open("log", { create: true });
    let over = false;
    setTimeout(() => {
      over = true;
    }, 1);
    let written = 0;
    while (!over) written = (await file.append(text("x"))) + 1;
    expect(await file.length()).toBe(written);
    await file.close();
  });

  it("go behind what another handle wrote or cut in the same turn", async () => {
    const disk = await newDisk();
    const [one, two] = [await disk.open("log", { create: true }), await disk.open("log")];
    const starts: number[] = [];
    for (let i = 0; i < 100; i++) {
      starts.push(await one.append(text("ab")));
      starts.push(await one.append(text("c")));
      starts.push(await two.append(text("d")));
    }
    expect(starts).toEqual(Array.from({ length: 100 }, (_, i) => [4 * i, 4 * i + 2, 4 * i + 3]).flat());
    await one.append(text("e"));
    await two.truncate(4);
    expect(await one.append(text("f"))).toBe(4);
    expect(await readAll(two)).toEqual(text("abcdf"));
    await Promise.all([one.close(), two.close()]);
  });

  it("wait for the large ones and the syncs that were called before them", async () => {
    const file = await (await newDisk()).open("log", { create: true });
    const large = pattern(300_000);
    const starts = await Promise.all([
      file.append(text("a")),
      file.append(large),
      file.append(text("b")),
      file.sync().then(() => 0),
      file.append([text("c"), text("d")]),
      file.truncate(2).then(() => 0),
      file.append(text("e")),
    ]);
    expect(starts).toEqual([0, 1, 300_001, 0, 300_002, 0, 2]);
    expect(await file.length()).toBe(3);
    await file.close();
  });
});
