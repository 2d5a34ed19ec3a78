import { appendFile, copyFile, mkdir, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Engine } from "@kaya/engine";
import { describe, expect, test } from "vitest";
import {
  absentDirectory,
  filledDirectory,
  flipInFile,
  kayactl,
  snapshot,
  temporaryDirectory,
} from "./helpers.js";

/** Of three entries `key-0000N`: `value-N`: the id of the log (a PUT of 70 bytes), three PUTs of 64 bytes, a NOOP. */
const CHECKPOINT = "checkpoint/0000000000000003.ckpt";
const BYTES = 302;

async function checkpointed(): Promise<string> {
  const data = await filledDirectory(3);
  await kayactl(["checkpoint", "--data", data]);
  return data;
}

/** The data directory as it is, but for the mark of who had it open. */
async function withoutLock(data: string): Promise<Record<string, string>> {
  const { LOCK: _lock, ...rest } = await snapshot(data);
  return rest;
}

const timeless = (text: string) => text.replace(/(?<=\b(?:in|took) +)[\d.]+ m?s$/gm, "TIME");

describe("checkpoint", () => {
  test("takes the log's place, and the data stays", async () => {
    const data = await filledDirectory(20, 400);
    const before = await kayactl(["scan", "--data", data]);
    expect(await kayactl(["checkpoint", "--data", data])).toEqual({
      code: 0,
      stdout: "OK lsn=20 entries=20 bytes=1400 segments_dropped=4\n",
      stderr: "",
    });
    expect(await readdir(join(data, "checkpoint"))).toEqual(["0000000000000014.ckpt"]);
    expect(await readdir(join(data, "wal"))).toEqual(["0000000000000005.wal", "log-id"]);
    expect(await kayactl(["scan", "--data", data])).toEqual(before);
    expect((await kayactl(["put", "more", "1", "--data", data])).stdout).toBe(
      "OK sequence=21 lsn=21 durable=true\n",
    );
  });

  test("--json says the same, also where there was nothing to do", async () => {
    const data = await filledDirectory(3);
    const document = {
      ok: true,
      lsn: 3,
      sequence: 3,
      entries: 3,
      bytes: BYTES,
      path: CHECKPOINT,
      segmentsDropped: 1,
      durationMs: expect.any(Number),
    };
    const first = await kayactl(["checkpoint", "--json", "--data", data]);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(first.stdout)).toEqual(document);
    const second = await kayactl(["checkpoint", "--json", "--data", data]);
    expect(JSON.parse(second.stdout)).toEqual({ ...document, segmentsDropped: 0 });
  });

  test("is refused while another process has the directory open", async () => {
    const data = await filledDirectory(3);
    const engine = await Engine.open({ dataDir: data });
    try {
      expect((await kayactl(["checkpoint", "--data", data])).code).toBe(6);
    } finally {
      await engine.close();
    }
  });
});

test("stats shows it", async () => {
  const data = await checkpointed();
  await kayactl(["put", "more", "1", "--data", data]);
  const { stdout } = await kayactl(["stats", "--data", data]);
  expect(stdout).toMatch(/^snapshots {6}none$/m);
  expect(stdout).toMatch(/^log bytes {6}53 B$/m);
  expect(stdout).toMatch(/^checkpoint {5}LSN 3, 3 entries, 302 B$/m);
  expect(JSON.parse((await kayactl(["stats", "--json", "--data", data])).stdout)).toMatchObject({
    memoryBytes: expect.any(Number),
    snapshots: { open: 0, bytes: 0 },
    checkpoint: { lsn: 3, entries: 3, bytes: BYTES, isRunning: false },
  });
});

describe("verify and recover", () => {
  test("report the checkpoint, then the log behind it", async () => {
    const data = await checkpointed();
    await kayactl(["put", "more", "1", "--data", data]);
    const rows = [
      "checkpoint     LSN 3, 3 entries, 302 B",
      "records        1",
      "LSN            4 to 4",
      "last sequence  4",
      "segments       1",
      "log bytes      53 B",
    ];
    const verified = await kayactl(["verify", "--data", data]);
    expect({ ...verified, stdout: timeless(verified.stdout) }).toEqual({
      code: 0,
      stdout: [`CLEAN ${data}`, ...rows, "would be cut   nothing", "took           TIME", ""].join("\n"),
      stderr: "",
    });
    const dry = await kayactl(["recover", "--dry-run", "--data", data]);
    expect(timeless(dry.stdout)).toBe(
      [`Dry run for ${data} in TIME`, ...rows, "would be cut   nothing", "Nothing was changed.", ""].join(
        "\n",
      ),
    );
    const recovered = await kayactl(["recover", "--data", data]);
    expect(timeless(recovered.stdout)).toBe(
      [`Recovered ${data} in TIME`, ...rows, "cut            nothing", ""].join("\n"),
    );
    for (const argv of [["verify"], ["recover"], ["recover", "--dry-run"]]) {
      const { stdout } = await kayactl([...argv, "--json", "--data", data]);
      expect(JSON.parse(stdout)).toMatchObject({
        checkpoint: { path: CHECKPOINT, lsn: 3, entries: 3, bytes: BYTES },
        recordCount: 1,
      });
    }
  });

  test("refuse a damaged one with its name and offset, in every mode", async () => {
    const data = await checkpointed();
    await flipInFile(join(data, CHECKPOINT), 120);
    const before = await withoutLock(data);
    for (const mode of ["tail", "prefix", "absolute"]) {
      const verified = await kayactl(["verify", "--recovery", mode, "--data", data]);
      expect(verified).toMatchObject({ code: 3, stderr: "" });
      expect(verified.stdout).toContain(
        `DAMAGED ${data}\n  ${CHECKPOINT}: offset 70: the payload's checksum is wrong`,
      );
      expect(verified.stdout).toContain(
        `A recovery (--recovery ${mode}) would refuse:\n  ${CHECKPOINT}: offset 70: `,
      );
      for (const argv of [["recover"], ["recover", "--dry-run"], ["get", "key-00000"]]) {
        const refused = await kayactl([...argv, "--recovery", mode, "--data", data]);
        expect(refused).toMatchObject({ code: 3, stdout: "" });
        expect(refused.stderr).toMatch(
          new RegExp(
            `^error KAYA_CORRUPTION: ${CHECKPOINT}: offset 70: .+\nhint: .+verify.+no --recovery passes`,
          ),
        );
      }
    }
    expect(JSON.parse((await kayactl(["verify", "--json", "--data", data])).stdout)).toMatchObject({
      ok: false,
      action: "refuse",
      code: "KAYA_CORRUPTION",
      damageCount: 1,
      damage: [{ segment: CHECKPOINT, kind: "BadPayloadChecksum", offset: 70 }],
    });
    expect(await withoutLock(data)).toEqual(before);
  });

  test("read every byte of it", async () => {
    const data = await checkpointed();
    const path = join(data, CHECKPOINT);
    const whole = await readFile(path);
    expect(whole.length).toBe(BYTES);
    for (let offset = 0; offset < BYTES; offset++) {
      await flipInFile(path, offset);
      const { code, stdout, stderr } = await kayactl(["verify", "--data", data]);
      // An unknown version or size whose header checksum holds would be 4; no single bit does that.
      expect(code, `offset ${offset}`).toBe(3);
      expect(stdout + stderr).toContain(CHECKPOINT);
      await writeFile(path, whole);
    }
    expect((await kayactl(["verify", "--data", data])).code).toBe(0);
  }, 60_000);

  test("refuse one that lacks its end, or goes on behind it", async () => {
    for (const change of [
      (path: string) => truncate(path, BYTES - 40),
      (path: string) => truncate(path, 0),
      (path: string) => appendFile(path, Buffer.alloc(64)),
    ]) {
      const data = await checkpointed();
      await change(join(data, CHECKPOINT));
      const verified = await kayactl(["verify", "--data", data]);
      expect(verified.code).toBe(3);
      expect(verified.stdout).toMatch(
        new RegExp(`would refuse:\n  ${CHECKPOINT}(: offset| at offset) \\d+: `),
      );
      expect((await kayactl(["inspect", "wal", join(data, CHECKPOINT)])).code).toBe(3);
    }
  });

  test("name what lies beside it, which is no damage; the next opening clears up", async () => {
    const data = await checkpointed();
    const path = (name: string) => join(data, "checkpoint", name);
    await copyFile(join(data, CHECKPOINT), path("0000000000000002.ckpt"));
    await writeFile(path("0000000000000009.ckpt.tmp"), "half");
    await writeFile(path("note\u001b.txt"), "mine");
    const { code, stdout } = await kayactl(["verify", "--data", data]);
    expect(code).toBe(0);
    expect(stdout.split("\n").filter((line) => line.startsWith("note: "))).toEqual([
      "note: checkpoint/0000000000000002.ckpt is older than the newest checkpoint: the next opening removes it",
      "note: checkpoint/0000000000000009.ckpt.tmp is not finished: " +
        "it is being written, or a crash left it and the next opening removes it",
      "note: checkpoint/note\\u001b.txt is no checkpoint: left alone",
    ]);
    expect(JSON.parse((await kayactl(["verify", "--json", "--data", data])).stdout)).toMatchObject({
      ok: true,
      checkpointFiles: {
        older: ["checkpoint/0000000000000002.ckpt"],
        leftovers: ["checkpoint/0000000000000009.ckpt.tmp"],
        unknown: ["checkpoint/note\u001b.txt"],
      },
    });
    await kayactl(["recover", "--data", data]);
    expect(await readdir(join(data, "checkpoint"))).toEqual(["0000000000000003.ckpt", "note\u001b.txt"]);
  });

  test("never pass a damaged one over for an older one, and say that there is one", async () => {
    const data = await checkpointed();
    await copyFile(join(data, CHECKPOINT), join(data, "checkpoint", "0000000000000002.ckpt"));
    await flipInFile(join(data, CHECKPOINT), 0);
    const { code, stdout } = await kayactl(["verify", "--data", data]);
    expect(code).toBe(3);
    expect(stdout).toContain("note: checkpoint/0000000000000002.ckpt is older than the newest checkpoint");
    expect((await kayactl(["recover", "--data", data])).code).toBe(3);
  });

  test("a name that no LSN has is refused by that name", async () => {
    const data = await checkpointed();
    await writeFile(join(data, "checkpoint", "ffffffffffffffff.ckpt"), "");
    const { code, stdout } = await kayactl(["verify", "--data", data]);
    expect(code).toBe(3);
    expect(stdout).toContain("checkpoint/ffffffffffffffff.ckpt is named like a checkpoint");
  });

  test("segments below it that a crash brought back are no damage, with or without a gap between them", async () => {
    const data = await filledDirectory(20, 400);
    const aside = await temporaryDirectory();
    const back = ["0000000000000001.wal", "0000000000000003.wal"];
    for (const name of back) await copyFile(join(data, "wal", name), join(aside, name));
    await kayactl(["checkpoint", "--data", data]);
    for (const name of back) await copyFile(join(aside, name), join(data, "wal", name));
    expect((await kayactl(["verify", "--data", data])).code).toBe(0);
    expect((await kayactl(["inspect", "wal", data])).code).toBe(0);
    await appendFile(join(data, "wal", "0000000000000005.wal"), "torn");
    const { code, stdout } = await kayactl(["verify", "--json", "--data", data]);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      action: "cut",
      damageCount: 1,
      damage: [{ kind: "PartialHeader" }],
    });
  });
});

describe("inspect wal", () => {
  const ROWS = [
    "offset=0 lsn=3 seq=3 type=PUT key_len=6 value_len=16 checksum=ok",
    "offset=70 lsn=4 seq=1 type=PUT key_len=9 value_len=7 checksum=ok",
    "offset=134 lsn=5 seq=2 type=PUT key_len=9 value_len=7 checksum=ok",
    "offset=198 lsn=6 seq=3 type=PUT key_len=9 value_len=7 checksum=ok",
    "offset=262 lsn=7 seq=3 type=NOOP checksum=ok",
    "",
  ];

  test("shows a checkpoint's records; a data directory is its log", async () => {
    const data = await checkpointed();
    await kayactl(["put", "more", "1", "--data", data]);
    expect(await kayactl(["inspect", "wal", join(data, CHECKPOINT)])).toEqual({
      code: 0,
      stdout: ROWS.join("\n"),
      stderr: "",
    });
    expect((await kayactl(["inspect", "wal", data])).stdout).toBe(
      "offset=0 lsn=4 seq=4 type=PUT key_len=4 value_len=1 checksum=ok\n",
    );
  });

  test("a checkpoint's --json is one segment", async () => {
    const data = await checkpointed();
    const { code, stdout } = await kayactl(["inspect", "wal", "--json", join(data, CHECKPOINT)]);
    expect(code).toBe(0);
    const { segments } = JSON.parse(stdout);
    expect(segments).toMatchObject([{ segment: "0000000000000003.ckpt", bytes: BYTES, warnings: [] }]);
    expect(segments[0].rows).toHaveLength(5);
  });

  test("one that has another name, or no end, is not whole", async () => {
    const data = await checkpointed();
    const misnamed = join(data, "0000000000000004.ckpt");
    await copyFile(join(data, CHECKPOINT), misnamed);
    const renamed = await kayactl(["inspect", "wal", misnamed]);
    expect(renamed.code).toBe(3);
    expect(renamed.stdout).toContain("CORRUPTION offset=0 kind=NonMonotonicLsn expected=4 found=3\n");
    await truncate(join(data, CHECKPOINT), BYTES - 40);
    const cut = await kayactl(["inspect", "wal", join(data, CHECKPOINT)]);
    expect(cut).toEqual({
      code: 3,
      stdout: [...ROWS.slice(0, 4), ""].join("\n"),
      stderr:
        "note: 0000000000000003.ckpt is no whole checkpoint: one begins with the id of its log and ends with a NOOP\n",
    });
  });

  test("an unfinished one is shown as far as it goes", async () => {
    const data = await checkpointed();
    const path = join(data, `${CHECKPOINT}.tmp`);
    await mkdir(join(data, "checkpoint"), { recursive: true });
    await writeFile(path, (await readFile(join(data, CHECKPOINT))).subarray(0, 198));
    expect((await kayactl(["inspect", "wal", path])).stdout).toBe([...ROWS.slice(0, 3), ""].join("\n"));
  });
});

describe("a look at a directory in use", () => {
  test("takes what a checkpoint does meanwhile for no damage", async () => {
    const data = await absentDirectory();
    const engine = await Engine.open({
      dataDir: data,
      wal: { segmentMaxBytes: 4000, maxRecordBytes: 1000 },
      checkpoint: { minLogBytes: 12_000 },
    });
    let isOver = false;
    const writing = (async () => {
      for (let i = 0; !isOver; i++)
        await engine.put(`key ${i % 20}`, "x".repeat(100), { durability: "relaxed" });
    })();
    try {
      const { lsn: first = 0 } = engine.stats().checkpoint;
      // Until there were some, however slow the machine is.
      for (let looks = 0; looks < 30 || (engine.stats().checkpoint.lsn ?? 0) === first; looks++) {
        const { code, stdout, stderr } = await kayactl(["verify", "--data", data]);
        // A record that is being written looks torn; nothing else may be wrong.
        if (code !== 0) expect(stdout + stderr).toContain("a look at a log in use");
      }
    } finally {
      isOver = true;
      await writing;
      await engine.close();
    }
  });
});
