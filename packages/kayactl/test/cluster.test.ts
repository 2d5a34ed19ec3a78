import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ClusterEngine,
  type LogBase,
  type LogHead,
  type NodeInfo,
  type SharedLog,
  SYSTEM_CLOCK,
} from "@kaya/cluster";
import { SimLog } from "@kaya/cluster/testing";
import { describe, expect, test, vi } from "vitest";
import { run } from "../src/index.js";
import { absentDirectory, kayactl, temporaryDirectory } from "./helpers.js";

vi.setConfig({ testTimeout: 60_000 });

const LOG_ID = "0".repeat(32);
const TTL_MS = 3_600_000;
const RECORD_BYTES = 100;
/** What an entry counts for: its records, and 256 bytes for its key and what etcd needs. */
const ENTRY_BYTES = RECORD_BYTES + 256;

interface Begun {
  readonly sim: SimLog;
  /** For the test itself. */
  readonly log: SharedLog;
  readonly openLog: () => SharedLog;
  readonly head: LogHead;
}

/** A log with 5 entries of 100 bytes and a record each, and node-1 as its writer. */
async function begun(): Promise<Begun> {
  const sim = new SimLog({ name: "etcd /orders" });
  const openLog = () => sim.client("kayactl");
  const log = openLog();
  let head = await claim(log, undefined, "node-1");
  for (let lsn = 1; lsn <= 5; lsn++) head = await append(log, head);
  return { sim, log, openLog, head };
}

function claim(log: SharedLog, expected: LogHead | undefined, writer: string): Promise<LogHead> {
  const origin = { logId: LOG_ID, lsn: 0, sequence: 0 };
  return log.claim(expected, { writer, address: `http://${writer}:80`, origin });
}

function append(log: SharedLog, head: LogHead): Promise<LogHead> {
  const lsn = head.lsn + 1;
  return log.append(head, {
    firstLsn: lsn,
    lastLsn: lsn,
    lastSequence: lsn,
    bytes: new Uint8Array(RECORD_BYTES),
  });
}

async function nameBase(log: SharedLog, lsn: number): Promise<LogBase> {
  const next = { lsn, sequence: lsn, bytes: lsn * ENTRY_BYTES, epoch: 1, name: `base-${lsn}` };
  return log.setBase(await log.base(), next);
}

function node(
  id: string,
  lsn: number,
  role: NodeInfo["role"] = "follower",
  isFollowerOnly = false,
): NodeInfo {
  return { id, address: `http://${id}:80`, role, isFollowerOnly, lsn };
}

async function announce(log: SharedLog, ...nodes: readonly NodeInfo[]): Promise<void> {
  for (const each of nodes) await log.announce(each, TTL_MS);
}

describe("cluster status", () => {
  test("tells who writes, who follows and how far, for people", async () => {
    const { log, openLog } = await begun();
    await nameBase(log, 2);
    await announce(log, node("node-1", 5, "writer"), node("node-2", 4), node("copy", 1, "follower", true));
    expect(await kayactl(["cluster", "status"], { openLog })).toEqual({
      code: 0,
      stdout: [
        "log       etcd /orders (kayactl)",
        "epoch     1",
        "writer    node-1 at http://node-1:80",
        "last LSN  5",
        `tail      ${((3 * ENTRY_BYTES) / 1024).toFixed(1)} KiB (default bound: 256.0 MiB)`,
        "base      LSN 2, 3 before the last",
        "",
        "node    role           LSN     behind  address",
        "copy    follower only    1  4 records  http://copy:80",
        "node-1  writer           5  0 records  http://node-1:80",
        "node-2  follower         4   1 record  http://node-2:80",
        "",
      ].join("\n"),
      stderr: "",
    });
  });

  test("and for programs", async () => {
    const { log, openLog, head } = await begun();
    const base = await nameBase(log, 2);
    await announce(log, node("node-1", 5, "writer"), node("node-2", 3));
    await log.want("node-2");
    const { code, stdout } = await kayactl(["cluster", "status", "--json"], { openLog });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      log: log.name,
      epoch: 1,
      writer: { id: "node-1", address: "http://node-1:80", isThere: true },
      lsn: 5,
      sequence: 5,
      logId: head.logId,
      tail: { bytes: 3 * ENTRY_BYTES, defaultLimitBytes: 268_435_456 },
      base: { lsn: 2, epoch: 1, name: base.name },
      nodes: [
        { ...node("node-1", 5, "writer"), lag: 0, isBehindTrim: false },
        { ...node("node-2", 3), lag: 2, isBehindTrim: false },
      ],
      wanted: "node-2",
      findings: [],
    });
  });

  /** The kinds of what it finds, and its exit code. */
  async function found(
    openLog: () => SharedLog,
  ): Promise<readonly [code: number | null, ...kinds: string[]]> {
    const { code, stdout } = await kayactl(["cluster", "status", "--json"], { openLog });
    return [code, ...JSON.parse(stdout).findings.map(({ kind }: { kind: string }) => kind)];
  }

  test("finds that nobody writes, and says who could", async () => {
    const { log, openLog } = await begun();
    await nameBase(log, 5);
    expect(await found(openLog)).toEqual([1, "no-nodes"]);
    await announce(log, node("copy", 5, "follower", true));
    expect(await found(openLog)).toEqual([1, "no-writer"]);
    expect((await kayactl(["cluster", "status"], { openLog })).stdout).toMatch(
      /^problem: no writer: node-1, which claimed epoch 1, is not present\. .* All present nodes only follow: `kayactl cluster promote NODE`/m,
    );
    await announce(log, node("node-2", 5));
    expect((await kayactl(["cluster", "status"], { openLog })).stdout).toMatch(
      /^problem: no writer: .* One of these should do so within seconds: node-2$/m,
    );
  });

  test("finds a writer that is alone, no base, a long tail and a node that was asked and is not there", async () => {
    const { sim, log, openLog } = await begun();
    await announce(log, node("node-1", 5, "writer"));
    expect(await found(openLog)).toEqual([0, "one-node", "no-base"]);
    await announce(log, node("node-2", 5));
    await log.want("node-9");
    expect(await found(openLog)).toEqual([0, "no-base", "wanted-absent"]);
    let head = sim.head as LogHead;
    const bytes = new Uint8Array(1024 * 1024);
    for (let i = 0; i < 192; i++) {
      const lsn = head.lsn + 1;
      head = await log.append(head, { firstLsn: lsn, lastLsn: lsn, lastSequence: lsn, bytes });
    }
    expect(await found(openLog)).toEqual([0, "no-base", "tail-near-bound", "wanted-absent"]);
  });

  test("finds a follower that needs what was trimmed, and no other", async () => {
    const { log, openLog } = await begun();
    const base = await nameBase(log, 4);
    await announce(log, node("node-1", 5, "writer"), node("near", 2), node("far", 0));
    expect(await found(openLog)).toEqual([0]);
    await log.trim(base, 2);
    const { stdout } = await kayactl(["cluster", "status"], { openLog });
    expect(stdout).toMatch(/^far +follower +0 +5 records, needs trimmed records /m);
    expect(stdout).toMatch(/^near +follower +2 +3 records +http/m);
    expect(stdout).toMatch(
      /^warning: far needs the record after LSN 0, which was trimmed\. .* base at LSN 4 /m,
    );
  });

  test("tells alarms of etcd, where it may ask for them", async () => {
    const { sim, log } = await begun();
    await nameBase(log, 5);
    await announce(log, node("node-1", 5, "writer"), node("node-2", 5));
    const alarms = async () => [{ member: "8e9e05c52164694d", alarm: "NOSPACE" }];
    expect(await found(() => Object.assign(sim.client("a"), { alarms }))).toEqual([1, "alarm"]);
    const refuses = () => Promise.reject(new Error("permission denied"));
    expect(await found(() => Object.assign(sim.client("b"), { alarms: refuses }))).toEqual([0]);
  });

  test("shows nothing that a terminal would obey", async () => {
    const { log, openLog } = await begun();
    await announce(log, { ...node("node-1", 5, "writer"), id: "e\u001b[2Jvil", address: "http://\u0007" });
    const { stdout } = await kayactl(["cluster", "status"], { openLog });
    expect(stdout).toContain("\\u001b[2J");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
    expect(stdout).not.toMatch(/[\u0007\u001b]/);
  });

  test("a log that has not begun is not found, and no majority is told with its code", async () => {
    const sim = new SimLog();
    const openLog = () => sim.client("kayactl");
    const none = await kayactl(["cluster", "status"], { openLog });
    expect(none).toMatchObject({ code: 2, stdout: "" });
    expect(none.stderr).toMatch(/^error KAYA_NOT_FOUND: .*there is no log yet/);
    sim.faults = () => ({ kind: "noMajority" });
    const away = await kayactl(["cluster", "status", "--json"], { openLog });
    expect(away).toMatchObject({ code: 1, stdout: "" });
    expect(away.stderr).toContain('{"ok":false,"code":"KAYA_NO_MAJORITY"');
  });

  test("needs to know which etcd, which log, and how to get in", async () => {
    const status = (...argv: readonly string[]) => kayactl(["cluster", "status", ...argv]);
    const etcd = ["--etcd", "http://127.0.0.1:1", "--prefix", "/x"];
    expect((await status()).stderr).toContain("Give --etcd URL");
    expect((await status("--etcd", "http://127.0.0.1:1")).stderr).toContain("Give --prefix");
    expect((await status(...etcd, "--user", "kaya")).stderr).toContain("KAYA_ETCD_PASSWORD");
    expect((await status(...etcd, "--password-file", "x")).stderr).toContain("needs --user");
    expect((await status(...etcd, "--cert", "x")).stderr).toContain("go together");
    const empty = join(await temporaryDirectory(), "empty");
    await writeFile(empty, "\n");
    expect((await status(...etcd, "--user", "kaya", "--password-file", empty)).stderr).toContain("is empty");
    const absent = await status(...etcd, "--cacert", await absentDirectory());
    expect(absent).toMatchObject({ code: 2, stderr: expect.stringContaining("there is no file") });
    for (const argv of [[], etcd.slice(0, 2), [...etcd, "--cert", "x"]])
      expect((await status(...argv)).code).toBe(4);
  });
});

describe("cluster status --watch", () => {
  /** Runs until so many texts were written. */
  async function watched(
    texts: number,
    argv: readonly string[],
    openLog: () => SharedLog,
    meanwhile: () => void,
  ) {
    const interruption = new AbortController();
    const written: string[] = [];
    const stdout = new Writable({
      decodeStrings: false,
      write(text: string, _encoding, done) {
        written.push(text);
        if (written.length === 1) meanwhile();
        if (written.length === texts) interruption.abort();
        done();
      },
    });
    const stderr = new Writable({ write: (_chunk, _encoding, done) => done() });
    const code = await run(argv, { stdout, stderr, signal: interruption.signal, openLog });
    return { code, written };
  }

  test("gives a line a look, goes on without a majority, and ends with 0", async () => {
    const { sim, log, openLog } = await begun();
    await nameBase(log, 2);
    await announce(log, node("node-1", 5, "writer"), node("node-2", 3));
    const { code, written } = await watched(3, ["cluster", "status", "--watch", "0.1"], openLog, () => {
      sim.faults = () => ({ kind: "noMajority" });
    });
    expect(code).toBe(0);
    expect(written).toEqual([
      `epoch=1 writer=node-1 lsn=5 tail_bytes=${3 * ENTRY_BYTES} base_lsn=2 nodes=node-1:0,node-2:2 findings=none\n`,
      "error=KAYA_NO_MAJORITY\n",
      "error=KAYA_NO_MAJORITY\n",
    ]);
  });
});

describe("cluster promote", () => {
  /** What a node does that sees that it is wanted. */
  async function claimWhenWanted(log: SharedLog, id: string): Promise<void> {
    while ((await log.members()).wanted !== id) await sleep(1);
    await claim(log, await log.head(), id);
    await announce(log, node(id, 5, "writer"));
    await log.want(undefined);
  }

  test("waits until the node accepts writes, and says before and after", async () => {
    const { sim, log, openLog } = await begun();
    await announce(log, node("node-1", 5, "writer"), node("node-2", 5));
    const [outcome] = await Promise.all([
      kayactl(["cluster", "promote", "node-2"], { openLog }),
      claimWhenWanted(sim.client("node-2"), "node-2"),
    ]);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(outcome.stdout).toMatch(
      /^before: node-1, epoch 1, LSN 5\nOK node-2 is the writer, epoch 2, LSN 5, after [\d.]+ m?s\n$/,
    );
    const again = await kayactl(["cluster", "promote", "node-2"], { openLog });
    expect(again.stdout).toBe("OK node-2 is the writer already, in epoch 2\n");
    expect(sim.members.wanted).toBeUndefined();
  });

  test("--json has both heads", async () => {
    const { sim, log, openLog } = await begun();
    await announce(log, node("node-1", 5, "writer"), node("node-2", 5));
    const [{ stdout }] = await Promise.all([
      kayactl(["cluster", "promote", "node-2", "--json"], { openLog }),
      claimWhenWanted(sim.client("node-2"), "node-2"),
    ]);
    expect(JSON.parse(stdout)).toEqual({
      ok: true,
      before: { writer: "node-1", epoch: 1, lsn: 5 },
      after: { writer: "node-2", epoch: 2, lsn: 5 },
      durationMs: expect.any(Number),
    });
  });

  test("a node that is not there is not found, with those that are", async () => {
    const { sim, log, openLog } = await begun();
    await announce(log, node("node-1", 5, "writer"));
    const { code, stderr } = await kayactl(["cluster", "promote", "node-2"], { openLog });
    expect(code).toBe(2);
    expect(stderr).toContain('the node "node-2" is not present; present nodes: node-1');
    expect(sim.members.wanted).toBeUndefined();
  });

  test("after its time it withdraws the request, and fails", async () => {
    const { sim, log, openLog } = await begun();
    await announce(log, node("node-1", 5, "writer"), node("node-2", 5));
    const argv = ["cluster", "promote", "node-2", "--timeout", "50ms"];
    const { code, stderr } = await kayactl(argv, { openLog });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error KAYA_NOT_LEADER: .* does not accept writes after 50 ms: the writer is node-1, in epoch 1\. The request was withdrawn/,
    );
    expect(sim.members.wanted).toBeUndefined();
  });

  test("Ctrl-C withdraws it, too", async () => {
    const { sim, log, openLog } = await begun();
    await announce(log, node("node-1", 5, "writer"), node("node-2", 5));
    const interruption = new AbortController();
    const running = kayactl(["cluster", "promote", "node-2"], {
      openLog,
      signal: interruption.signal,
    });
    while (sim.members.wanted === undefined) await sleep(1);
    interruption.abort();
    expect(await running).toMatchObject({ code: 130, stdout: "" });
    expect(sim.members.wanted).toBeUndefined();
  });
});

describe("the directory of a node", () => {
  /** One that was closed, with two entries. */
  async function nodeDirectory(): Promise<string> {
    const data = await absentDirectory();
    const sim = new SimLog({ name: "etcd /orders", clock: SYSTEM_CLOCK });
    const db = await ClusterEngine.open({ dataDir: data, nodeId: "node-1", log: sim.client("node-1") });
    await db.put("user:1", "Ada");
    await db.put("user:2", "Grace");
    await db.close();
    return data;
  }

  test("is read as any other, and said to be one", async () => {
    const data = await nodeDirectory();
    expect((await kayactl(["scan", "--data", data])).stdout).toBe("user:1\tAda\nuser:2\tGrace\n");
    expect((await kayactl(["verify", "--data", data])).stdout).toMatch(/^CLEAN /);
    expect((await kayactl(["stats", "--data", data])).stdout).toMatch(/^node of +etcd \/orders /);
    const { stdout } = await kayactl(["doctor", "--json", "--data", data]);
    const findings: { check: string; level: string; found: string }[] = JSON.parse(stdout).findings;
    expect(findings.filter(({ check }) => check === "foreign files")).toEqual([]);
    expect(findings.find(({ check }) => check === "cluster")).toMatchObject({
      level: "ok",
      found: expect.stringContaining("a node of the log etcd /orders"),
      values: { logName: expect.stringContaining("etcd /orders") },
    });
  });

  test("is not written, until it has left the cluster", async () => {
    const data = await nodeDirectory();
    const refused = await kayactl(["put", "a", "b", "--data", data]);
    expect(refused).toMatchObject({ code: 4, stdout: "" });
    expect(refused.stderr).toMatch(/^hint: .*"kayactl cluster leave DIR"$/m);
    const left = await kayactl(["cluster", "leave", data, "--json"]);
    expect(left).toEqual({
      code: 0,
      stdout: `${JSON.stringify({ ok: true, dir: data, hasLeft: true })}\n`,
      stderr: "",
    });
    expect((await kayactl(["put", "user:3", "Edsger", "--data", data])).stdout).toBe(
      "OK sequence=3 lsn=3 durable=true\n",
    );
    expect(await kayactl(["cluster", "leave", data])).toEqual({
      code: 0,
      stdout: `OK dir=${data} (not a replica: nothing was changed)\n`,
      stderr: "",
    });
  });

  test("that is open is not taken out of its cluster", async () => {
    const data = await nodeDirectory();
    const sim = new SimLog({ clock: SYSTEM_CLOCK });
    const other = await absentDirectory();
    const db = await ClusterEngine.open({ dataDir: other, log: sim.client("node-1") });
    expect((await kayactl(["cluster", "leave", other])).code).toBe(6);
    await db.put("a", "b");
    await db.close();
    expect((await kayactl(["cluster", "leave", `${data}-absent`])).code).toBe(2);
  });
});

describe("cluster follow", () => {
  test("--once ends with all that the log had, and goes on from there", async () => {
    const sim = new SimLog({ clock: SYSTEM_CLOCK });
    const openLog = () => sim.client("copy");
    const db = await ClusterEngine.open({ dataDir: await absentDirectory(), log: sim.client("node-1") });
    await db.put("user:1", "Ada");
    const copy = await absentDirectory();
    const follow = ["cluster", "follow", copy, "--once"];
    expect(await kayactl(follow, { openLog })).toEqual({
      code: 0,
      stdout: `OK lsn=1 epoch=1 dir=${copy}\n`,
      stderr: "",
    });
    await db.put("user:2", "Grace");
    const { stdout } = await kayactl([...follow, "--json"], { openLog });
    expect(JSON.parse(stdout)).toEqual({ ok: true, dir: copy, lsn: 2, epoch: 1 });
    expect((await kayactl(["ls", "--data", copy])).stdout).toBe("user:1\nuser:2\n");
    await db.close();
  });

  test("needs a log that has begun, and a directory that is none of another log", async () => {
    const openLog = () => new SimLog({ clock: SYSTEM_CLOCK }).client("copy");
    const none = await kayactl(["cluster", "follow", await absentDirectory()], { openLog });
    expect(none).toMatchObject({ code: 2, stdout: "" });
    const file = join(await temporaryDirectory(), "file");
    await writeFile(file, "");
    expect((await kayactl(["cluster", "follow", file], { openLog })).code).toBe(4);
  });
});
