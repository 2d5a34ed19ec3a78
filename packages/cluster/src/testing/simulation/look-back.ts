import { KayaError } from "@kaya/core";
import { Engine } from "@kaya/engine";
import { SimDisk } from "@kaya/io";
import { BASE_SHARE } from "../../base-keeper.js";
import type { ClusterEngine } from "../../cluster-engine.js";
import { loadBase } from "../../shipment/load-base.js";
import { checkLinearizability, describeLinearizability } from "../linearizability/index.js";
import { type AttemptedWrite, describeWrite, isSame } from "./clients.js";
import { textOf } from "./log-model.js";
import type { SimNode } from "./sim-node.js";
import { ClusterRuleBroken, mustHold } from "./violation.js";
import { type ClusterWorld, differenceBetween, stateOf } from "./world.js";

const PATIENCE_MS = 60_000;
const LOOK_MS = 50;

/** Ends a run: all faults end, each call gets an answer, and all nodes must have the same history. */
export async function lookBack(world: ClusterWorld): Promise<void> {
  world.calm();
  await within(world, "calls have no answer", answered(world));
  await within(world, "nodes do not open", reopenAll(world));
  await within(world, "no write succeeds", writeOnce(world));
  for (const node of world.nodes) await within(world, `${node.id} does not catch up`, catchUp(world, node));
  await within(world, "the writer makes no base", tailIsShort(world));
  checkWrites(world);
  await within(world, "the base does not load", checkBase(world));
  for (const node of world.nodes)
    await within(world, `${node.id} does not answer`, compareAtEnd(world, node));
  await checkTokens(world);
  const result = checkLinearizability(world.clients.history(), { maxConfigurations: 300_000 });
  mustHold(result.verdict !== "violation", "not-linearizable", () => describeLinearizability(result));
  for (const node of world.nodes) node.close();
  await within(world, "nodes do not close", Promise.all(world.nodes.map((node) => node.settled())));
  world.mustBeFine();
}

async function within<T>(world: ClusterWorld, what: string, work: Promise<T>): Promise<T> {
  try {
    return await world.clock.run(work, PATIENCE_MS);
  } catch (error) {
    if (error instanceof Error && /has not settled/.test(error.message))
      throw new ClusterRuleBroken("hang", `${what}: ${error.message}. ${situation(world)}`);
    throw error;
  } finally {
    world.mustBeFine();
  }
}

function situation({ nodes, clients, log }: ClusterWorld): string {
  const states = nodes.map(({ id, db, isDown }) =>
    db === undefined
      ? `${id} is ${isDown ? "down" : "opening, closing or stopped"}`
      : `${id} is ${db.role} at LSN ${db.lsn} of epoch ${db.epoch}${db.failure === undefined ? "" : `: ${db.failure.message}`}`,
  );
  const head =
    log.head === undefined ? "no head" : `LSN ${log.head.lsn}, epoch ${log.head.epoch} of ${log.head.writer}`;
  return `${states.join("; ")}; the shared log has ${head}; without an answer: ${clients.waiting || "none"}`;
}

async function answered(world: ClusterWorld): Promise<void> {
  for (let left = 1; left > 0; left = world.clients.underWay.length + world.underWay.length) {
    await Promise.all([...world.clients.underWay, ...world.underWay]);
    await Promise.resolve();
  }
}

async function reopenAll({ nodes, clock }: ClusterWorld): Promise<void> {
  for (const node of nodes)
    while (node.db === undefined || !isUsable(node.db)) {
      await node.settled();
      node.mustBeFine();
      if (node.db !== undefined && !isUsable(node.db)) node.die("kill");
      node.open();
      await clock.sleep(LOOK_MS);
    }
}

function isUsable({ role, state }: ClusterEngine): boolean {
  return role !== "failed" && role !== "closed" && state === "open";
}

async function writeOnce({ nodes, clients, clock }: ClusterWorld): Promise<void> {
  for (;;) {
    const writer = nodes.find(({ db }) => db?.role === "writer");
    const { db } = writer ?? {};
    if (writer !== undefined && db !== undefined && (await clients.lastWrite(writer, db)) > 0) return;
    await clock.sleep(LOOK_MS);
  }
}

/** Waits until a node has caught up. If a remaining disk fault makes it fail, it is opened again. */
async function catchUp(world: ClusterWorld, node: SimNode): Promise<void> {
  for (;;) {
    try {
      const { db } = node;
      if (db !== undefined) {
        const lsn = await db.catchUp();
        const head = world.log.head?.lsn ?? 0;
        mustHold(
          lsn >= head || world.log.head?.lsn !== head,
          "diverged",
          () => `${node.id} caught up to LSN ${lsn} of ${head}`,
        );
        if (isUsable(db)) return;
      }
    } catch (error) {
      if (!KayaError.is(error)) throw error; // it is tried again until the time is over
    }
    if (node.db === undefined || !isUsable(node.db)) {
      node.mustBeFine();
      if (node.db !== undefined) node.die("kill");
      node.open();
      await node.settled();
    }
    await world.clock.sleep(LOOK_MS);
  }
}

/** Waits until the newest base has so many records that no other one is due. */
async function tailIsShort({ log, clock, tailMaxBytes }: ClusterWorld): Promise<void> {
  const bytesBehindBase = () =>
    log.entries.reduce(
      (sum, { lastLsn, bytes }) => (lastLsn > (log.base?.lsn ?? 0) ? sum + bytes.length : sum),
      0,
    );
  while (bytesBehindBase() >= tailMaxBytes * BASE_SHARE) await clock.sleep(LOOK_MS);
}

async function compareAtEnd(world: ClusterWorld, node: SimNode): Promise<void> {
  const { db } = node;
  mustHold(db !== undefined, "hang", () => `${node.id} is not open`);
  await world.compare(node);
  const head = world.log.head?.lsn ?? 0;
  mustHold(
    db.lsn === head,
    "diverged",
    () => `${node.id} ends with LSN ${db.lsn}, but the shared log with ${head}`,
  );
}

/** Checks that each answer of a write was true, and that the shared log only has whole writes of the clients. */
function checkWrites({ clients, model }: ClusterWorld): void {
  const byValue = new Map<string, AttemptedWrite>();
  for (const write of clients.writes)
    for (const { key, value } of write.writes) if (value !== undefined) byValue.set(`${key} ${value}`, write);
  for (const { lsn, writes } of model.records) {
    const [first] = writes.filter(({ value }) => value !== undefined);
    if (first === undefined) continue;
    const write = byValue.get(`${first.key} ${first.value}`);
    mustHold(
      write !== undefined && isSame(write.writes, writes),
      "never-attempted",
      () => `LSN ${lsn} is ${JSON.stringify(writes)}`,
    );
  }
  for (const write of clients.writes) checkWrite(write, model.recordsWith.bind(model));
}

function checkWrite(write: AttemptedWrite, recordsWith: ClusterWorld["model"]["recordsWith"]): void {
  const unique = write.writes.find(({ value }) => value !== undefined);
  if (unique === undefined) return;
  const found = recordsWith(unique);
  const { answer, code } = write;
  const text = () =>
    `${describeWrite(write)} was ${answer} (${code}), but is at LSN ${found.join() || "none"}`;
  if (answer === "acknowledged") mustHold(found.length === 1, "acknowledged-lost", text);
  else if (answer === "refused" || answer === "conflict") mustHold(found.length === 0, "refused-found", text);
  else mustHold(found.length <= 1, "never-attempted", text);
}

/** C7: checks that the named base has all records up to its LSN, because the log may be trimmed up to it. */
async function checkBase({ log, blobStore, model }: ClusterWorld): Promise<void> {
  const { base } = log;
  if (base === undefined) return;
  const disk = new SimDisk();
  const loaded = await loadBase(blobStore, base.name, disk).catch((error: unknown) => {
    throw new ClusterRuleBroken("wrong-base", `the base ${base.name} cannot be loaded: ${String(error)}`);
  });
  mustHold(loaded.lsn === base.lsn && loaded.sequence === base.sequence, "wrong-base", () => {
    return `the base ${base.name} ends with LSN ${loaded.lsn}, but the log says LSN ${base.lsn}`;
  });
  const engine = await Engine.open({}, disk);
  const difference = differenceBetween(await stateOf(engine.scan()), model.stateAt(base.lsn));
  await engine.close();
  mustHold(difference === undefined, "wrong-base", () => `the base ${base.name} ${difference}`);
}

/**
 * Checks that a token of one node works on another one: its feed has the records of the shared log after the token, or the node reports
 * that its log does not reach back so far.
 */
async function checkTokens(world: ClusterWorld): Promise<void> {
  const head = world.log.head?.lsn ?? 0;
  for (const [index, { token, from, lsn }] of world.tokens.entries()) {
    const node = world.nodes[index % world.nodes.length] as SimNode;
    await within(
      world,
      `the feed of ${node.id} from a token of ${from}`,
      readFeed(world, node, token, lsn, head),
    );
  }
}

async function readFeed(
  world: ClusterWorld,
  node: SimNode,
  token: string,
  from: number,
  head: number,
): Promise<void> {
  const { db } = node;
  if (db === undefined || from >= head) return;
  let lsn = from;
  try {
    for await (const change of db.changes({ since: token })) {
      const record = world.model.records[change.lsn - 1];
      const writes = change.operations.map((operation) => ({
        key: operation.type === "deleteRange" ? "" : textOf(operation.key),
        value: operation.type === "put" ? textOf(operation.value) : undefined,
      }));
      const isNext = change.lsn === lsn + 1 || (lsn === from && change.lsn > from); // the token was taken after the LSN was read, so it may be newer
      mustHold(isNext && record !== undefined && isSame(record.writes, writes), "wrong-feed", () => {
        return `${node.id} gives LSN ${change.lsn} after ${lsn}: ${JSON.stringify(writes)}, but the shared log has ${JSON.stringify(record?.writes)}`;
      });
      lsn = change.lsn;
      if (lsn >= head) return;
    }
  } catch (error) {
    if (!KayaError.is(error, "KAYA_LOG_TRUNCATED")) throw error;
  }
}
