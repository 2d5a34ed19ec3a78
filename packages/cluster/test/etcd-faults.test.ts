import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { type EtcdLog, type EtcdLogOptions, etcdLog } from "@kaya/cluster";
import { type EtcdCluster, startEtcd, whyNoEtcd } from "@kaya/cluster/testing";
import { KayaError } from "@kaya/core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { LogEntry, LogHead, LogPage, SharedLog } from "../src/shared-log.js";
import { EtcdGateway } from "./etcd-gateway.js";

const missing = whyNoEtcd();
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const ORIGIN = { logId: "id", lsn: 0, sequence: 0 };
const NODE = { id: "n", address: undefined, role: "writer", isFollowerOnly: false, lsn: 0 } as const;

const open: EtcdLog[] = [];

function logOf(cluster: EtcdCluster, options: Partial<EtcdLogOptions> = {}): EtcdLog {
  const log = etcdLog({ ...cluster.connection, prefix: `/faults/${randomUUID()}`, ...options });
  open.push(log);
  return log;
}

async function claimed(log: SharedLog, writer = "a"): Promise<LogHead> {
  return await log.claim(await log.head(), { writer, address: `${writer}:1`, origin: ORIGIN });
}

function entryAfter(head: LogHead, size = 100): LogEntry {
  const lsn = head.lsn + 1;
  return { firstLsn: lsn, lastLsn: lsn, lastSequence: lsn, bytes: new Uint8Array(size).fill(lsn) };
}

const prefixOf = (log: SharedLog) => log.name.split(" ").at(-1) ?? "";

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    return KayaError.is(error) ? error.code : String(error);
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 120_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`this did not happen: ${what}`);
    await sleep(50);
  }
}

/** Follows the log, and collects the entries. */
function followed(log: SharedLog, after = 0) {
  const stop = new AbortController();
  const lsns: number[] = [];
  const troubles: unknown[] = [];
  const options = { signal: stop.signal, onTrouble: (error: unknown) => troubles.push(error) };
  const ended = (async () => {
    for await (const page of log.follow(after, options))
      lsns.push(...page.entries.map(({ lastLsn }) => lastLsn));
  })();
  ended.catch(() => undefined); // a test that fails before it awaits this closes the log under it
  const end = async () => {
    stop.abort();
    await ended;
  };
  return { lsns, troubles, end, ended };
}

const HISTORY_VALUE = Buffer.alloc(700_000).toString("base64");

const upTo = (lsn: number) => Array.from({ length: lsn }, (_, index) => index + 1);

/** Appends in the way of a writer: if there is no answer, the head shows the outcome. */
async function appendSurely(log: SharedLog, head: LogHead, entry: LogEntry): Promise<LogHead> {
  let expected = head;
  for (;;) {
    const outcome = await log.append(expected, entry).catch((error: unknown) => error);
    if (!KayaError.is(outcome)) return outcome as LogHead;
    const found = await log.head().catch(() => undefined);
    if (found?.lsn === entry.lastLsn) return found;
    if (found !== undefined) expected = found;
  }
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((log) => log.close()));
});

describe.skipIf(missing !== undefined)(`etcd with faults${skipped}`, () => {
  let etcd: EtcdCluster;
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd?.stop());
  afterEach(async () => {
    for (const member of etcd.members) {
      await member.proxy.set("pass");
      member.resume();
      if (!member.isRunning) await member.restart();
    }
    await etcd.healthy();
  });

  async function cutAll(mode: "drop" | "replies" | "refuse" | "pass") {
    await Promise.all(etcd.members.map(({ proxy }) => proxy.set(mode)));
  }

  test("if the reply of an append is lost, the append is in doubt, and the head shows that it was done", async () => {
    const log = logOf(etcd, { requestTimeoutMs: 1000 });
    const head = await claimed(log);
    await cutAll("replies");
    expect(await codeOf(log.append(head, entryAfter(head)))).toBe("KAYA_IN_DOUBT");
    await cutAll("pass");
    expect(await log.head()).toMatchObject({ epoch: 1, lsn: 1 });
    expect(await codeOf(log.append(head, entryAfter(head)))).toBe("KAYA_FENCED");
  });

  test("if the connection breaks during an append, the append is in doubt immediately", async () => {
    const log = logOf(etcd, { requestTimeoutMs: 60_000 });
    const head = await claimed(log);
    await cutAll("replies");
    const outcome = codeOf(log.append(head, entryAfter(head)));
    const direct = logOf(etcd, {
      endpoints: etcd.members.map(({ port }) => `http://127.0.0.1:${port}`),
      prefix: prefixOf(log),
    });
    await until("it is done", async () => (await direct.head())?.lsn === 1);
    for (const { proxy } of etcd.members) proxy.reset();
    expect(await outcome).toBe("KAYA_IN_DOUBT");
  });

  test("an append that reaches no member rejects as not done", async () => {
    const log = logOf(etcd);
    const head = await claimed(log);
    await cutAll("refuse");
    // Until the client has noticed: a write on a connection that has just broken is in doubt.
    expect(await codeOf(log.head())).toBe("KAYA_NO_MAJORITY");
    const error = await log.append(head, entryAfter(head)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "KAYA_NO_MAJORITY" });
    expect(String(error)).toMatch(/ECONNREFUSED|connect/i);
    await cutAll("pass");
    expect(await log.head()).toEqual(head);
    expect((await log.append(head, entryAfter(head))).lsn).toBe(1);
  });

  test("an append skips members that refuse connections, and is done once", async () => {
    const log = logOf(etcd);
    let head = await claimed(log);
    for (const member of etcd.members) {
      await member.proxy.set("refuse");
      // A new client, which never had a connection to that member.
      head = await logOf(etcd, { prefix: prefixOf(log) }).append(head, entryAfter(head));
      await member.proxy.set("pass");
    }
    expect((await log.read(0)).entries.map(({ lastLsn }) => lastLsn)).toEqual([1, 2, 3]);
  });

  test("reads skip a silent member, and so do writes after one write in doubt", async () => {
    const log = logOf(etcd, { requestTimeoutMs: 3000 });
    let head = await claimed(log);
    for (const member of etcd.members) {
      await member.proxy.set("drop");
      expect((await log.head())?.version).toBe(head.version);
      head = await appendSurely(log, head, entryAfter(head));
      await member.proxy.set("pass");
    }
    expect(head.lsn).toBe(3);
  });

  test("writer and follower continue while a member is killed and started again", async () => {
    const log = logOf(etcd);
    let head = await claimed(log);
    const following = followed(log);
    for (const member of etcd.members) {
      await member.kill();
      for (let count = 0; count < 5; count++) head = await appendSurely(log, head, entryAfter(head));
      await member.restart();
      await etcd.healthy();
    }
    await until("all entries are followed", () => following.lsns.at(-1) === 15);
    expect(following.lsns).toEqual(upTo(15));
    await following.end();
  });

  test("without a majority writes and reads are refused, and work again when it is back", async () => {
    const log = logOf(etcd, { requestTimeoutMs: 1000 });
    const head = await claimed(log);
    const following = followed(log);
    const [, second, third] = etcd.members;
    await Promise.all([second?.kill(), third?.kill()]);
    expect(["KAYA_IN_DOUBT", "KAYA_NO_MAJORITY"]).toContain(await codeOf(log.append(head, entryAfter(head))));
    expect(await codeOf(log.head())).toBe("KAYA_NO_MAJORITY");
    await until("the follower reports its trouble", () => following.troubles.length > 0);
    await Promise.all([second?.restart(), third?.restart()]);
    await etcd.healthy();
    const next = await appendSurely(log, head, entryAfter(head));
    await appendSurely(log, next, entryAfter(next));
    await until("all entries are followed", () => following.lsns.at(-1) === 2);
    expect(following.lsns).toEqual([1, 2]);
    await following.end();
  });

  test("a paused leader of etcd is replaced, and no entry is lost or doubled", async () => {
    const log = logOf(etcd, { requestTimeoutMs: 1000 });
    let head = await claimed(log);
    const following = followed(log);
    for (let round = 0; round < 2; round++) {
      const leader = await etcd.leader();
      leader.pause();
      for (let count = 0; count < 5; count++) head = await appendSurely(log, head, entryAfter(head));
      leader.resume();
      await etcd.healthy();
    }
    expect((await log.read(0)).entries.map(({ lastLsn }) => lastLsn)).toEqual(upTo(10));
    await until("all entries are followed", () => following.lsns.at(-1) === 10);
    expect(following.lsns).toEqual(upTo(10));
    await following.end();
  });

  test("a follower notices that its member is silent, and continues with another one", async () => {
    const log = logOf(etcd);
    const head = await claimed(log);
    const reader = logOf(etcd, { prefix: prefixOf(log) });
    const following = followed(reader);
    let last = await log.append(head, entryAfter(head));
    await until("it follows", () => following.lsns.length === 1);
    const writing = logOf(etcd, {
      endpoints: etcd.members.map(({ port }) => `http://127.0.0.1:${port}`),
      prefix: prefixOf(log),
    });
    for (const { proxy } of etcd.members) {
      await proxy.set("drop");
      last = await writing.append(last, entryAfter(last));
      await until("it continues", () => following.lsns.at(-1) === last.lsn);
      await proxy.set("pass");
    }
    expect(following.lsns).toEqual(upTo(4));
    await following.end();
  });

  test("compaction of all history under a follower loses nothing", async () => {
    const log = logOf(etcd, { requestTimeoutMs: 3000 });
    let head = await claimed(log);
    const following = followed(log);
    await until("it follows", async () => (await log.head()) !== undefined);
    for (let round = 0; round < 5; round++) {
      // The follower is cut off while history is written and compacted, so its watch cannot continue.
      await cutAll("drop");
      const direct = etcd.members.map(({ port }) => `http://127.0.0.1:${port}`);
      const writing = logOf(etcd, { endpoints: direct, prefix: prefixOf(log) });
      for (let count = 0; count < 5; count++) head = await writing.append(head, entryAfter(head));
      await etcd.admin("/v3/kv/compaction", { revision: head.version, physical: true });
      await cutAll("pass");
      await until("it continues", () => following.lsns.at(-1) === head.lsn);
    }
    expect(following.lsns).toEqual(upTo(25));
    await following.end();
  });

  test("history does not grow with appends and trims", async () => {
    const log = logOf(etcd);
    let head = await claimed(log);
    let base = await log.base();
    const first = head.version;
    for (let count = 0; count < 20; count++) head = await log.append(head, entryAfter(head, 10_000));
    base = await log.setBase(base, { lsn: 20, sequence: 20, bytes: 0, epoch: 1, name: "base" });
    await log.trim(base, 20);
    const range = { key: Buffer.from("/faults/").toString("base64"), revision: first };
    // The trim is the newest revision, which no compaction removes.
    await etcd.admin("/v3/kv/range", range);
    await log.append(head, entryAfter(head));
    const isCompacted = (error: Error) => /compacted/.test(error.message);
    await until("it is compacted", () => etcd.admin("/v3/kv/range", range).then(() => false, isCompacted));
    const shared = logOf(etcd, { compact: false });
    let other = await claimed(shared);
    const before = other.version;
    other = await shared.append(other, entryAfter(other));
    const named = await shared.setBase(undefined, { lsn: 1, sequence: 1, bytes: 0, epoch: 1, name: "base" });
    await shared.trim(named, 1);
    await etcd.admin("/v3/kv/range", { ...range, revision: before });
  });

  test("entries of the largest size are followed without a gap while they are written at full speed", async () => {
    const log = logOf(etcd);
    let head = await claimed(log);
    const pages: LogPage[] = [];
    const stop = new AbortController();
    const following = (async () => {
      for await (const page of log.follow(0, { signal: stop.signal })) {
        pages.push(page);
        // The reader is slower than the writer, so the number of waiting bytes must stay bounded.
        if (pages.length < 5) await sleep(500);
      }
    })();
    for (let count = 0; count < 40; count++)
      head = await log.append(head, entryAfter(head, log.maxEntryBytes));
    const lsns = () => pages.flatMap(({ entries }) => entries.map(({ lastLsn }) => lastLsn));
    await until("all entries are followed", () => lsns().at(-1) === 40);
    expect(lsns()).toEqual(upTo(40));
    for (const { entries } of pages) expect(entries.length).toBeLessThanOrEqual(18);
    stop.abort();
    await following;
  });

  test("a prefix that another program uses is refused before anything is written", async () => {
    const prefix = `/foreign/${randomUUID()}`;
    const put = (key: string, value: string) =>
      etcd.admin("/v3/kv/put", {
        key: Buffer.from(`${prefix}/${key}`).toString("base64"),
        value: Buffer.from(value).toString("base64"),
      });
    await put("settings", "1");
    const log = logOf(etcd, { prefix });
    expect(await codeOf(claimed(log))).toBe("KAYA_INVALID_ARGUMENT");
    expect(await log.head()).toBeUndefined();
    await put("head", "not ours");
    expect(await codeOf(log.head())).toBe("KAYA_CORRUPTION");
  });

  test("a deleted head is reported, and the log cannot be claimed again", async () => {
    const log = logOf(etcd);
    const head = await claimed(log);
    await log.append(head, entryAfter(head));
    const following = followed(log);
    const ended = codeOf(following.ended);
    await until("it follows", () => following.lsns.length === 1);
    const key = Buffer.from(`${prefixOf(log)}/head`).toString("base64");
    await etcd.admin("/v3/kv/deleterange", { key });
    expect(await ended).toBe("KAYA_CORRUPTION");
    expect(await codeOf(log.head())).toBe("KAYA_CORRUPTION");
    expect(await codeOf(log.claim(undefined, { writer: "a", origin: ORIGIN }))).toBe("KAYA_CORRUPTION");
    expect(await codeOf(log.append(head, entryAfter(head)))).toBe("KAYA_FENCED");
  });

  describe("an answer of etcd", () => {
    const NO_SPACE = "etcdserver: mvcc: database space exceeded";
    const answers = [
      // etcd applies the first transaction beyond its quota, and answers it with this error.
      { code: status.RESOURCE_EXHAUSTED, details: NO_SPACE, isDone: true, outcome: "done" },
      { code: status.RESOURCE_EXHAUSTED, details: NO_SPACE, isDone: false, outcome: "KAYA_DISK_FULL" },
      {
        code: status.RESOURCE_EXHAUSTED,
        details: "etcdserver: too many requests",
        isDone: false,
        outcome: "KAYA_NO_MAJORITY",
      },
      {
        code: status.UNAVAILABLE,
        details: "etcdserver: request timed out",
        isDone: true,
        outcome: "KAYA_IN_DOUBT",
      },
      {
        code: status.UNAVAILABLE,
        details: "etcdserver: request timed out",
        isDone: false,
        outcome: "KAYA_IN_DOUBT",
      },
      {
        code: status.UNAVAILABLE,
        details: "etcdserver: leader changed",
        isDone: false,
        outcome: "KAYA_IN_DOUBT",
      },
      {
        code: status.UNAVAILABLE,
        details: "etcdserver: server stopped",
        isDone: true,
        outcome: "KAYA_IN_DOUBT",
      },
      { code: status.UNKNOWN, details: "raft proposal dropped", isDone: false, outcome: "KAYA_IN_DOUBT" },
      {
        code: status.INVALID_ARGUMENT,
        details: "etcdserver: request is too large",
        isDone: false,
        outcome: "KAYA_IO",
      },
      {
        code: status.PERMISSION_DENIED,
        details: "etcdserver: permission denied",
        isDone: false,
        outcome: "KAYA_IO",
      },
      {
        code: status.DATA_LOSS,
        details: "etcdserver: corrupt cluster",
        isDone: false,
        outcome: "KAYA_CORRUPTION",
      },
    ];
    for (const { code, details, isDone, outcome } of answers)
      test(`"${details}" to an append that was ${isDone ? "" : "not "}done: ${outcome}`, async () => {
        const gateway = new EtcdGateway(`127.0.0.1:${etcd.members[0]?.port}`);
        try {
          const log = logOf(etcd, { endpoints: [await gateway.listen()] });
          const head = await claimed(log);
          let attempts = 0;
          gateway.fault = () => (attempts++ === 0 ? { isDone, answer: { code, details } } : undefined);
          const next = log.append(head, entryAfter(head));
          expect(await codeOf(next)).toBe(outcome);
          const found = await log.head();
          expect(found?.lsn).toBe(isDone ? 1 : 0);
          if (outcome === "done") expect(await next).toEqual(found);
        } finally {
          gateway.close();
        }
      });
  });

  test("a presence outlives the member that granted its lease, and is renewed through another member", async () => {
    const log = logOf(etcd);
    const presence = await log.announce(NODE, 5000);
    await etcd.members[0]?.kill();
    await until("it is renewed", async () => (await codeOf(presence.renew({ ...NODE, lsn: 7 }))) === "done");
    expect((await log.members()).nodes).toEqual([{ ...NODE, lsn: 7 }]);
  });
});

describe.skipIf(missing !== undefined)(`etcd without room${skipped}`, () => {
  test("a database beyond its quota refuses appends and claims, can be read and followed, and accepts writes when there is room", async () => {
    await using etcd = await startEtcd({ quotaBytes: 32 * 1024 * 1024 });
    // 5.6 MB of history, so that a compaction makes room whatever the entries need. The database copies
    // pages, and may be three times as large as its values: the history alone must stay below the quota.
    for (let i = 0; i < 8; i++) await etcd.admin("/v3/kv/put", { key: "aGlzdG9yeQ==", value: HISTORY_VALUE });
    const log = logOf(etcd, { compact: false });
    let head = await claimed(log);
    let base = await log.base();
    const presence = await log.announce(NODE, 60_000);
    const following = followed(log);
    const outcome = async () => {
      for (;;) {
        const next = await log.append(head, entryAfter(head, 700_000)).catch((error: unknown) => error);
        if (KayaError.is(next)) return next;
        head = next as LogHead;
      }
    };
    expect(await outcome()).toMatchObject({
      code: "KAYA_DISK_FULL",
      message: expect.stringMatching(/NOSPACE/),
    });
    // Nothing is in doubt: the head shows exactly what was done.
    expect(await log.head()).toEqual(head);
    expect((await log.alarms()).map(({ alarm }) => alarm)).toContain("NOSPACE");
    expect(await codeOf(log.append(head, entryAfter(head)))).toBe("KAYA_DISK_FULL");
    expect(await codeOf(log.claim(head, { writer: "b", origin: ORIGIN }))).toBe("KAYA_DISK_FULL");
    expect(await codeOf(log.announce({ ...NODE, id: "m" }, 5000))).toBe("KAYA_DISK_FULL");
    await presence.renew(NODE);
    expect((await log.members()).nodes).toEqual([NODE]);
    expect((await log.read(0)).entries[0]?.firstLsn).toBe(1);
    await until("all entries are followed", () => following.lsns.at(-1) === head.lsn);
    expect(await log.base()).toEqual(base);

    const through = { lsn: head.lsn, sequence: head.sequence, bytes: head.bytes, epoch: 1, name: "base" };
    await until("there is room", async () => {
      await etcd.makeRoom(); // each time: a slow member may raise its alarm after the first
      const outcome = await codeOf(log.setBase(base, through));
      base = await log.base();
      return outcome === "done" || base?.name === through.name;
    });
    if (base !== undefined) await log.trim(base, head.lsn);
    await etcd.makeRoom();
    const next = await log.append(head, entryAfter(head));
    await until("it continues", () => following.lsns.at(-1) === next.lsn);
    expect(following.lsns).toEqual(upTo(next.lsn));
    await following.end();
  });
});

describe.skipIf(missing !== undefined)(`etcd with passwords${skipped}`, () => {
  const prefix = "/secured";
  const kaya = { name: "kaya", password: "secret", prefix };
  const login = { username: "kaya", password: "secret", prefix };
  let etcd: EtcdCluster;
  beforeAll(async () => {
    etcd = await startEtcd({ users: [kaya, { name: "other", password: "other", prefix: "/other" }] });
  });
  afterAll(() => etcd?.stop());

  test("a wrong password, no password and a wrong prefix are refused, with what to do", async () => {
    const errorOf = (options: Partial<EtcdLogOptions>) =>
      logOf(etcd, { prefix, ...options })
        .claim(undefined, { writer: "a", origin: ORIGIN })
        .catch((error: unknown) => error);
    const wrong = await errorOf({ username: "kaya", password: "wrong" });
    expect(wrong).toMatchObject({ code: "KAYA_IO", message: expect.stringMatching(/username and password/) });
    expect(await errorOf({})).toMatchObject({
      code: "KAYA_IO",
      message: expect.stringMatching(/give username/),
    });
    const denied = await errorOf({ username: "other", password: "other" });
    expect(denied).toMatchObject({ code: "KAYA_IO", message: expect.stringMatching(/permission/) });
    expect(String(wrong)).not.toMatch(/wrong"|"secret/);
  });

  test("a user with permission for the prefix can do everything that a log needs", async () => {
    const log = logOf(etcd, login);
    let head = await claimed(log);
    const following = followed(log);
    const presence = await log.announce(NODE, 5000);
    for (let count = 0; count < 5; count++) head = await log.append(head, entryAfter(head));
    const named = { lsn: head.lsn, sequence: head.sequence, bytes: 0, epoch: head.epoch, name: "base" };
    const base = await log.setBase(await log.base(), named);
    await until("all entries are followed", () => following.lsns.length === 5);
    await log.trim(base, 3);
    await log.want("b");
    await presence.renew({ ...NODE, lsn: 9 });
    expect(await log.members()).toEqual({ nodes: [{ ...NODE, lsn: 9 }], wanted: "b" });
    await presence.end();
    await following.end();
  });

  test("a token that etcd forgot is renewed, and the call is done once", async () => {
    const log = logOf(etcd, login);
    let head = await claimed(log);
    const following = followed(log, head.lsn);
    // Members keep tokens only in memory.
    for (const member of etcd.members) {
      await member.restart();
      await etcd.healthy();
    }
    const first = head.lsn;
    for (let count = 0; count < 3; count++) head = await appendSurely(log, head, entryAfter(head));
    expect(head.lsn).toBe(first + 3);
    await until("all entries are followed", () => following.lsns.at(-1) === head.lsn);
    await following.end();
  });
});

const missingForTls = whyNoEtcd({ tls: true });

describe.skipIf(missingForTls !== undefined)(
  `etcd with TLS${missingForTls === undefined ? "" : ` (skipped: ${missingForTls})`}`,
  () => {
    let etcd: EtcdCluster;
    beforeAll(async () => {
      etcd = await startEtcd({ tls: true });
    });
    afterAll(() => etcd?.stop());

    test("both sides check certificates, and entries of the largest size pass", async () => {
      const log = logOf(etcd);
      const head = await claimed(log);
      const following = followed(log);
      await log.append(head, entryAfter(head, log.maxEntryBytes));
      await until("it follows", () => following.lsns.length === 1);
      await following.end();
    });

    test("each wrong certificate is refused, with what to do", async () => {
      const { ca, cert, key } = etcd.certificates ?? { ca: "", cert: "", key: "" };
      const errorOf = (options: Partial<EtcdLogOptions>) =>
        logOf(etcd, options)
          .claim(undefined, { writer: "a", origin: ORIGIN })
          .catch((error: unknown) => error);
      const remedy = { code: "KAYA_IO", message: expect.stringMatching(/tls\.ca, tls\.cert and tls\.key/) };
      expect(await errorOf({ tls: { cert, key } })).toMatchObject(remedy);
      expect(await errorOf({ tls: { ca } })).toMatchObject(remedy);
      expect(() => logOf(etcd, { tls: { ca, cert: "no certificate", key } })).toThrow(/tls cannot be used/);
    });

    test("a client without TLS gets a clear error", async () => {
      const endpoints = etcd.endpoints.map((endpoint) => endpoint.replace("https", "http"));
      const log = etcdLog({ endpoints, prefix: "/plain", requestTimeoutMs: 1000 });
      open.push(log);
      expect(await codeOf(log.head())).toMatch(/KAYA_(IO|NO_MAJORITY)/);
    });
  },
);
