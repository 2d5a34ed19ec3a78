import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Engine } from "@kaya/engine";
import type { TableMeta } from "@kaya/lsm";
import { describe, expect, test } from "vitest";
import { renderLevels } from "../src/log-page/levels.js";
import { layOutTables } from "../src/log-page/table-layout.js";
import { absentDirectory, filledDirectory, flipInFile, kayactl, temporaryDirectory } from "./helpers.js";

let nextId = 1;

function table(start: string, end: string | undefined, fileBytes = 100): TableMeta {
  return {
    id: nextId++,
    start: Buffer.from(start),
    end: end === undefined ? undefined : Buffer.from(end),
    fileBytes,
    footerCrc: 0,
    entries: 10,
    tombstones: 5,
    rangeTombstones: 0,
    rawBytes: fileBytes,
    smallestSequence: 1,
    largestSequence: 10,
  };
}

/** From and to of each box, in hundredths. */
function boxes(...levels: TableMeta[][]): (readonly [level: number, ...places: string[]])[] {
  return layOutTables(levels).map(({ level, boxes: of }) => [
    level,
    ...of.map(({ from, to }) => `${Math.round(from * 100)}-${Math.round(to * 100)}`),
  ]);
}

describe("tables are laid out", () => {
  test("by key and bytes, the same key at the same place on every level", () => {
    expect(boxes([], [table("a", "m", 300), table("m", "z", 100)])).toEqual([[1, "0-75", "75-100"]]);
    expect(boxes([table("m", "z")], [table("a", "m"), table("m", "z")])).toEqual([
      [0, "33-100"],
      [1, "0-33", "33-100"],
    ]);
  });

  test("without room for keys that only a wider table could have", () => {
    expect(boxes([table("a", "z", 1000)], [table("b", "c"), table("x", "y")])).toEqual([
      [0, "0-100"],
      [1, "0-50", "50-100"],
    ]);
  });

  test("up to the last key, where a table has no end", () => {
    expect(boxes([], [table("a", "b"), table("b", undefined)])).toEqual([[1, "0-50", "50-100"]]);
    expect(boxes([table("", undefined, 0)])).toEqual([[0, "0-100"]]);
  });

  test("of level 0 each in a lane of its own, up to twelve", () => {
    const level0 = Array.from({ length: 15 }, () => table("a", "z"));
    expect(layOutTables([level0])).toHaveLength(12);
    const look = { manifest: "m", coveredLsn: 1, levels: [level0], tables: 15, bytes: 1500 };
    expect(renderLevels(look)).toContain("3 more tables of level 0 are not drawn.");
  });

  test("as one where they are too narrow to be seen", () => {
    const keys = Array.from({ length: 5001 }, (_, i) => String(i).padStart(4, "0"));
    const many = keys.slice(0, -1).map((key, i) => table(key, keys[i + 1]));
    const [lane] = layOutTables([[], many]);
    expect(lane?.boxes.length).toBeLessThan(1000);
    expect(lane?.boxes.flatMap(({ tables }) => tables)).toEqual(many);
  });
});

describe("the page of a data directory", () => {
  async function pageOf(data: string): Promise<{ html: string; code: number | null; stderr: string }> {
    const file = join(await temporaryDirectory(), "log.html");
    const { code, stderr } = await kayactl(["inspect", "wal", data, "--html", file]);
    return { html: await readFile(file, "utf8"), code, stderr };
  }

  test("has a picture of its tables, which needs no script and no style of its own", async () => {
    const data = await absentDirectory();
    const engine = await Engine.open({ dataDir: data, tables: { autoCompact: false } });
    await engine.put("<b>&\u001b", "value");
    await engine.flush();
    await engine.put("z", "value");
    await engine.delete("<b>&\u001b");
    await engine.flush();
    await engine.close();
    const { html, code } = await pageOf(data);
    expect(code).toBe(0);
    const picture = /<svg class="levels".*?<\/svg>/s.exec(html)?.[0] ?? "";
    expect(picture.match(/class="table"/g)).toHaveLength(2);
    expect(picture.match(/class="dead"/g)).toHaveLength(1);
    expect(picture).toContain('aria-label="2 tables on 1 level, by their keys and bytes"');
    expect(picture).toContain("1 deletion\nfrom &lt;b&gt;&amp;\\u001b\nbefore z\\u0000\n");
    for (const unsafe of ["style=", "<b>", "\u001b"]) expect(picture).not.toContain(unsafe);
    expect(html).toContain("<td>0</td><td>2</td>");
  });

  test("has none where there are no tables, or the manifest cannot be read: then it says so", async () => {
    const data = await filledDirectory(3);
    expect((await pageOf(data)).html).not.toContain('<svg class="levels"');
    await kayactl(["flush", "--data", data]);
    expect((await pageOf(data)).html).toContain('<svg class="levels"');
    await flipInFile(join(data, "manifest/0000000000000001.manifest"), 3);
    const { html, stderr } = await pageOf(data);
    expect(html).not.toContain('<svg class="levels"');
    expect(stderr).toContain("the manifest cannot be read");
  });
});
