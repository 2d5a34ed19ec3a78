import { resolve } from "node:path";
import { Engine } from "@kaya/engine";
import { describe, expect, test } from "vitest";
import { ExitCode } from "../src/context.js";
import { absentDirectory, filledDirectory, kayactl, snapshot } from "./helpers.js";

const samples = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

describe("stats --prometheus", () => {
  test("prints what the files tell, under the names that programs use, and changes nothing", async () => {
    const data = await absentDirectory();
    const engine = await Engine.open({ dataDir: data, tables: { autoFlush: false } });
    await engine.put("a", "1");
    await engine.flush();
    await engine.put("b", "2");
    const before = await snapshot(data);
    const { code, stdout, stderr } = await kayactl(["stats", "--prometheus", "--data", data]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const store = `store="${resolve(data)}"`;
    const { wal, tables } = engine.stats();
    expect(samples(stdout)).toEqual([
      `kaya_in_use{${store}} 1`,
      `kaya_wal_last_lsn{${store}} 2`,
      `kaya_wal_size_bytes{${store}} ${wal.bytes}`,
      `kaya_wal_segments{${store}} 1`,
      `kaya_tables{${store},level="0"} 1`,
      `kaya_table_size_bytes{${store},level="0"} ${tables.bytes}`,
      `kaya_table_covered_lsn{${store}} 1`,
      `kaya_changes_consumers{${store}} 0`,
      `kaya_changes_kept_log_bytes{${store}} 0`,
    ]);
    expect(await snapshot(data)).toEqual(before);
    await engine.close();
    expect(samples((await kayactl(["stats", "--prometheus", "--data", data])).stdout)[0]).toBe(
      `kaya_in_use{${store}} 0`,
    );
  });

  test("is refused beside --watch, which prints lines of another form", async () => {
    const data = await filledDirectory(1);
    const { code, stderr } = await kayactl(["stats", "--prometheus", "--watch", "--data", data]);
    expect(code).toBe(ExitCode.Usage);
    expect(stderr).toMatch(/'--prometheus' cannot be used with option '--watch/);
  });
});
