import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NodeDisk } from "@kaya/io";
import { LsmTree, PUT } from "@kaya/lsm";
import { describe, expect, test } from "vitest";
import { flipInFile, kayactl, temporaryDirectory } from "./helpers.js";

/** A directory with two flushes, a compaction of them, and one flush more. */
async function directoryOfTree(): Promise<{ data: string; manifest: string }> {
  const data = await temporaryDirectory();
  const tree = await LsmTree.open(new NodeDisk(data), {
    autoCompact: false,
    randomSeed: () => new Uint8Array(16).fill(7),
  });
  await tree.setLogIdentity("9f86d081884c7d65");
  for (let n = 1; n <= 3; n++) {
    const entries = [
      { key: Buffer.from(`user:${n % 2}`), kind: PUT, sequence: n, value: Buffer.from("value") },
    ];
    const rangeTombstones = n === 3 ? [{ start: Buffer.from([0xff]), end: undefined, sequence: 3 }] : [];
    await tree.flush({ entries, rangeTombstones }, { lsn: n, sequence: n });
    if (n === 2) await tree.compact();
  }
  await tree.close();
  const [name = ""] = await readdir(join(data, "manifest"));
  return { data, manifest: join(data, "manifest", name) };
}

const lines = (text: string) => text.split("\n").slice(0, -1);

describe("inspect manifest", () => {
  test("has a line for each record and each table in it, and one for what it comes to", async () => {
    const { data, manifest } = await directoryOfTree();
    const { code, stdout, stderr } = await kayactl(["inspect", "manifest", manifest]);
    expect([code, stderr]).toEqual([0, ""]);
    const shown = lines(stdout);
    expect(shown[0]).toBe(
      "offset=0 number=1 type=SNAPSHOT next_id=1 covered_lsn=0 covered_seq=0 removed=0 added=0 checksum=ok",
    );
    expect(shown.filter((line) => line.includes("type=EDIT"))).toHaveLength(5);
    expect(shown).toContain("  - level=0 id=2");
    expect(
      shown.some((line) =>
        /^ {2}\+ level=6 id=\d+ bytes=\d+ entries=2 .* from=user:0 before=user:1\\u0000$/.test(line),
      ),
    ).toBe(true);
    expect(shown.some((line) => / range_tombstones=1 seq=3\.\.3 from=user:1$/.test(line))).toBe(true);
    expect(shown.at(-1)).toMatch(
      /^tables=2 levels=0:1,6:1 next_id=\d+ covered_lsn=3 covered_seq=3 log=9f86d081884c7d65 verdict=whole$/,
    );
    const ofDirectory = lines((await kayactl(["inspect", "manifest", data])).stdout);
    expect(ofDirectory[0]).toMatch(/^manifest=0000000000000001\.manifest bytes=\d+$/);
    expect(ofDirectory.slice(1)).toEqual(shown);
    expect((await kayactl(["inspect", "manifest", join(data, "manifest")])).stdout).toBe(
      `${ofDirectory.join("\n")}\n`,
    );
    const summary = lines((await kayactl(["inspect", "manifest", manifest, "--summary"])).stdout);
    expect(summary).toHaveLength(3);
    expect(summary.at(-1)).toBe(shown.at(-1));
  });

  test("tells damage with its offset and what an opening makes of it, and ends with 3", async () => {
    const { manifest } = await directoryOfTree();
    const whole = await readFile(manifest);
    const offsets = lines((await kayactl(["inspect", "manifest", manifest])).stdout).flatMap((line) => {
      const offset = /^offset=(\d+) /.exec(line)?.[1];
      return offset === undefined ? [] : [Number(offset)];
    });
    await flipInFile(manifest, (offsets[1] ?? 0) + 60);
    const damaged = await kayactl(["inspect", "manifest", manifest]);
    expect(damaged.code).toBe(3);
    expect(lines(damaged.stdout).at(-2)).toMatch(
      new RegExp(
        `^CORRUPTION offset=${offsets[1]} kind=BadPayloadChecksum .* a whole record follows at offset ${offsets[2]}$`,
      ),
    );
    expect(lines(damaged.stdout).at(-1)).toMatch(/ verdict=damaged$/);
    await writeFile(manifest, whole.subarray(0, whole.length - 1));
    const torn = await kayactl(["inspect", "manifest", manifest]);
    expect(torn.code).toBe(3);
    expect(lines(torn.stdout).at(-2)).toMatch(/^CORRUPTION offset=\d+ kind=PartialPayload /);
    expect(lines(torn.stdout).at(-1)).toMatch(/ verdict=torn$/);
  });

  test("gives one document with --json, with keys as text or in hex", async () => {
    const { data } = await directoryOfTree();
    const { stdout } = await kayactl(["inspect", "manifest", data, "--json"]);
    const { manifests } = JSON.parse(stdout);
    expect(manifests).toHaveLength(1);
    expect(manifests[0]).toMatchObject({
      manifest: "0000000000000001.manifest",
      verdict: "whole",
      state: { covered: { lsn: 3, sequence: 3 }, logIdentity: "9f86d081884c7d65" },
    });
    expect(manifests[0].rows).toHaveLength(6);
    expect(manifests[0].state.levels[0][0]).toMatchObject({ start: { key: "user:1" }, end: null });
    const summary = JSON.parse((await kayactl(["inspect", "manifest", data, "--json", "--summary"])).stdout);
    expect(summary.manifests[0]).toMatchObject({ rows: [], state: manifests[0].state });
  });

  test("says so where there is none, and ends with 2 where there is no such path", async () => {
    const empty = await temporaryDirectory();
    const none = await kayactl(["inspect", "manifest", empty]);
    expect([none.code, none.stdout]).toEqual([0, ""]);
    expect(none.stderr).toContain("there is no manifest in");
    expect((await kayactl(["inspect", "manifest", join(empty, "nowhere")])).code).toBe(2);
  });
});
