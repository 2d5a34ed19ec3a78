import { KayaError, type PartialEngineConfig } from "@kaya/core";
import { Engine } from "@kaya/engine";
import { claimFirst, noteEpoch, type Opening, readHead, Silent, silent } from "./opening.js";
import type { ResolvedClusterOptions } from "./options.js";
import type { LogHead } from "./shared-log.js";
import { type MadeBase, makeBase } from "./shipment/make-base.js";
import { within } from "./within.js";

/**
 * Makes an ordinary store the first node of a log: its data becomes the base, and the log continues after it. If a crash interrupts it before the claim,
 * nothing has begun. If a crash interrupts it after the claim, `isAdopted` is true at the next opening.
 *
 * @returns the head that the claim made
 */
export async function adoptStore(opening: Opening): Promise<LogHead> {
  const { options, disk, clock, given, nodeId } = opening;
  const { log, blobStore, commitTimeoutMs } = options;
  if (!options.adopt || blobStore === undefined || options.isFollowerOnly) throw noNode(options);
  const engine = await Engine.open(asItWas(options.engine), disk, given);
  let made: MadeBase;
  try {
    made = await makeBase(engine, blobStore, { epoch: 1, nodeId });
  } finally {
    await engine.close();
  }
  await assertReadable(opening);
  await noteEpoch(opening, 0);
  const { name, lsn, sequence } = made;
  const { head: claimed, trouble } = await claimFirst(opening, { lsn, sequence });
  if (claimed === undefined) throw await notClaimed(opening, trouble);
  const base = { name, lsn, sequence, bytes: 0, epoch: claimed.epoch };
  // If this fails, the writer makes another base at once.
  await within(clock, commitTimeoutMs, (signal) => log.setBase(undefined, base, { signal })).catch(
    () => undefined,
  );
  return claimed;
}

/** A node reads no records that are larger than an entry. A consumer may keep such records, also when they are in tables. */
async function assertReadable({ options, disk }: Opening): Promise<void> {
  try {
    await (await Engine.open({ ...options.engine, readOnly: true }, disk)).close();
  } catch (error) {
    if (!KayaError.is(error, "KAYA_INVALID_ARGUMENT")) throw error;
    const { dataDir = "./data" } = options.engine;
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `${dataDir} keeps a log that a node cannot read, so the shared log was not begun. Open it with Engine, remove the consumers that keep its log (removeConsumer), flush, and try again. ${error.message}`,
      { cause: error },
    );
  }
}

async function notClaimed(opening: Opening, trouble: unknown): Promise<KayaError> {
  const { options, nodeId } = opening;
  const head = await readHead(opening);
  if (head === undefined || head instanceof Silent || head.writer === nodeId)
    return silent(options, head instanceof Silent ? head.why : trouble);
  return new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${options.log.name}: node ${head.writer} began this log while the store was copied. Nothing was changed here: choose another prefix for this store, or give the node an empty directory.`,
  );
}

/** Whether a crash interrupted `adoptStore` after its claim. There may have been later claims, but no record. */
export function isAdopted({ options, found }: Opening, { lsn, starts: [first] }: LogHead): boolean {
  if (!options.adopt || !found.isStore) return false;
  return first?.epoch === 1 && first.lsn === lsn && first.writer === found.nodeId;
}

/** The configuration of a store before it becomes a node: its log may have larger records. */
function asItWas({ wal, ...config }: PartialEngineConfig): PartialEngineConfig {
  const { maxBatchBytes: _batch, maxRecordBytes: _record, ...rest } = wal ?? {};
  return { ...config, wal: rest };
}

function noNode({ log, engine: { dataDir = "./data" } }: ResolvedClusterOptions): KayaError {
  return new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${dataDir} holds an ordinary store, and nobody has begun ${log.name}. Nothing was changed. To begin the log with what is there, open it with role "auto", \`adopt: true\` and a \`blobStore\`, which gets a copy of it for the other nodes; or give an empty directory.`,
  );
}
