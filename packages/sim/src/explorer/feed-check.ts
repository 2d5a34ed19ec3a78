import { KayaError, type PartialEngineConfig } from "@kaya/core";
import type { Change, Engine } from "@kaya/engine";
import type { SimDisk } from "@kaya/io";
import type { Check } from "./check-run.js";
import { ARCHIVE, describeChange, type FeedFact, INDEX } from "./feed-session.js";
import type { HistoryView } from "./history.js";
import { openEngine } from "./open-engine.js";

/**
 * Changes delivered before the crash are in the log, every token goes on where it was given, and no registered consumer has lost anything;
 * changes delivered afterwards outlive the next power cut.
 */
export function feedCheck(config: PartialEngineConfig): Check<FeedFact> {
  return async (disk, view, recovered) => {
    const engine = await openEngine(config, disk);
    recovered();
    checkRegistered(engine, view);
    if (!engine.consumers().some(({ name }) => name === ARCHIVE)) return;
    const found = await historyOf(engine);
    checkDelivered(found, view);
    await checkTokens(engine, view, engine.stats().durableLsn);
    disk.crash();

    const again = await openEngine(config, disk);
    const later = await historyOf(again);
    for (const [i, text] of found.entries()) {
      if (later[i] !== text)
        throw new Error(`recovery delivered «${text}»; after a second crash it is «${later[i]}»`);
    }
    await again.close();
  };
}

/**
 * The last record of a crash state is damaged, and recovery cuts it. From then on a token from behind the cut is refused, even when another
 * change has its LSN; earlier tokens go on.
 */
export function cutCheck(config: PartialEngineConfig): Check<FeedFact> {
  // Only this mode cuts before the mark of a clean close.
  const cutting = { ...config, wal: { ...config.wal, recovery: "prefix" } } as const;
  return async (disk, view, recovered) => {
    const whole = await openEngine(cutting, disk);
    const end = whole.stats().durableLsn;
    await whole.close();
    // Where a recovery was crashed that had cut it already, it is not damaged once more.
    const isCut = factsOf(view, "delivered").some(({ lsn }) => lsn > end);
    if (!isCut && !(await damageLastRecord(disk))) {
      recovered();
      return;
    }
    const engine = await openEngine(cutting, disk);
    recovered();
    const left = engine.stats().lastLsn;
    for (let n = left; n <= end + 1; n++) await engine.put("instead", `${n}`);
    await checkTokens(engine, view, left);
    disk.crash();
    const again = await openEngine(cutting, disk);
    await checkTokens(again, view, left);
    await again.close();
  };
}

function factsOf<K extends FeedFact["fact"]>(
  { acknowledged }: HistoryView<FeedFact>,
  fact: K,
): Extract<FeedFact, { readonly fact: K }>[] {
  return [...acknowledged].filter(
    (each): each is Extract<FeedFact, { readonly fact: K }> => each.fact === fact,
  );
}

function checkRegistered(engine: Engine, view: HistoryView<FeedFact>): void {
  const consumers = new Map(engine.consumers().map((consumer) => [consumer.name, consumer]));
  for (const { name } of factsOf(view, "registered")) {
    const consumer = consumers.get(name);
    if (consumer === undefined) throw new Error(`the consumer «${name}» is not registered any more`);
    if (consumer.isTruncated)
      throw new Error(`the log was not kept for «${name}», from LSN ${consumer.lsn} on`);
  }
  const found = consumers.get(INDEX)?.lsn ?? 0;
  for (const { lsn } of factsOf(view, "acknowledged"))
    if (lsn > found) throw new Error(`LSN ${lsn} was acknowledged, and LSN ${found} is what is registered`);
}

function checkDelivered(found: readonly string[], view: HistoryView<FeedFact>): void {
  for (const { lsn, text } of factsOf(view, "delivered"))
    if (found[lsn - 1] !== text)
      throw new Error(`delivered was «${text}», and the log has «${found[lsn - 1]}»`);
}

/** @param common tokens behind this are of a history that is gone */
async function checkTokens(engine: Engine, view: HistoryView<FeedFact>, common: number): Promise<void> {
  for (const { lsn, token } of factsOf(view, "delivered")) {
    const next = await changeBehind(engine, token);
    const expected = lsn > common ? "refused" : lsn === engine.stats().durableLsn ? "none" : lsn + 1;
    // Records that no consumer keeps may be gone from below.
    if (next === "refused" && lsn <= common && engine.stats().tables.covered.lsn > lsn) continue;
    if (next !== expected) throw new Error(`behind the token ${token} comes ${next}, and not ${expected}`);
  }
}

async function changeBehind(engine: Engine, since: string): Promise<number | "none" | "refused"> {
  try {
    const { lastLsn } = engine.stats();
    const feed = engine.changes({ since });
    if (since.endsWith(`-${lastLsn}`)) return "none";
    const { value } = await feed.next();
    await feed.return();
    return value?.lsn ?? "none";
  } catch (error) {
    if (KayaError.is(error, "KAYA_LOG_TRUNCATED")) return "refused";
    throw error;
  }
}

/** All that is durable, each as text. */
async function historyOf(engine: Engine): Promise<string[]> {
  const changes: Change[] = [];
  const feed = engine.changes({ consumer: ARCHIVE });
  while (changes.length < engine.stats().durableLsn) {
    const { value } = await feed.next();
    if (value === undefined) throw new Error("a feed is over before its end");
    changes.push(value);
  }
  await feed.return();
  for (const [i, { lsn }] of changes.entries())
    if (lsn !== i + 1) throw new Error(`LSN ${lsn} was delivered where LSN ${i + 1} comes`);
  return changes.map(describeChange);
}

/** False where there is none in the log. */
async function damageLastRecord(disk: SimDisk): Promise<boolean> {
  const segments = (await disk.list("wal")).filter(({ path }) => path.endsWith(".wal"));
  const last = segments.at(-1);
  if (last === undefined || last.length === 0) return false;
  disk.flipBit(last.path, last.length - 1, 0);
  return true;
}
