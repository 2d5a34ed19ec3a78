import { randomBytes } from "node:crypto";
import { KayaError, type LogPosition, throwIfAborted } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import { shippedEngine } from "@kaya/engine/shipping";
import type { BlobStore } from "../blob-store.js";
import { encodeBase, readBase } from "./base-object.js";
import { digits, epochDigits, namePart } from "./object-name.js";
import { shipTables } from "./ship-tables.js";
import type { TableObject } from "./table-object.js";

/** The writer that makes a base, and the base before it. */
export interface MakeBaseOptions {
  /** The epoch of the writer. */
  readonly epoch: number;
  /** The id of the writer. */
  readonly nodeId: string;
  /**
   * The base that the log named at this writer's claim or later. Its tables are not stored again: the `collectBases` of an earlier writer
   * never removes them. Default: all tables are stored.
   */
  readonly previous?: string | undefined;
  /** Called if `previous` is damaged or gone: then all tables are stored again. */
  readonly onLost?: ((error: KayaError) => void) | undefined;
  /** Flushes the engine. Default: `engine.flush`. */
  readonly flush?: (() => Promise<unknown>) | undefined;
  /** The time of the base in milliseconds since 1970, for people. Default: the current time. */
  readonly now?: number;
  /** Aborts the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A base that is durable in the store and was read back. */
export interface MadeBase extends LogPosition {
  /** The name of the object that names its tables. */
  readonly name: string;
  /** The number of tables that were stored for it. The others were already in the store. */
  readonly newTables: number;
  /** Bytes of the tables that were stored for it. */
  readonly newBytes: number;
}

/**
 * Makes a base of an engine: flushes it, stores the tables that are new, and then stores the object that names them all. The base has
 * everything up to the last record before the call. Only one call may run at a time in an epoch.
 *
 * @throws KayaError KAYA_CORRUPTION if a table is damaged; the store's errors; those of `flush`; or the signal's reason. Then the store may
 *   have objects that no base names: `collectBases` removes them
 */
export async function makeBase(
  engine: Engine,
  store: BlobStore,
  options: MakeBaseOptions,
): Promise<MadeBase> {
  const { epoch, nodeId, previous, flush = () => engine.flush(), now = Date.now(), signal } = options;
  const pass = { ...(signal && { signal }) };
  throwIfAborted(signal);
  await flush();
  const shipped = shippedEngine(engine);
  const history = await shipped.identify();
  if (history === undefined)
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      "a base needs an engine that writes, but this one is read-only",
    );
  const stored = previous === undefined ? [] : await tablesOf(store, previous, options);
  const snapshot = shipped.tables();
  try {
    const writer = `${epochDigits(epoch)}-${namePart(nodeId)}`;
    let [newTables, newBytes] = [0, 0];
    const tables = await shipTables(snapshot, store, {
      folder: `table/${writer}`,
      stored,
      signal,
      onTable: ({ meta }) => {
        newTables++;
        newBytes += meta.fileBytes;
      },
    });
    const { covered, state } = snapshot;
    const base = { covered, history, nextTableId: state.nextTableId, tables, time: now, epoch };
    // The random part makes the name unique: an attempt without an answer may have stored another object for the same record.
    const name = `base/${writer}/${digits(covered.lsn)}-${randomBytes(4).toString("hex")}`;
    await store.put(name, encodeBase(base), pass);
    await readBase(store, name, pass);
    return { name, ...covered, newTables, newBytes };
  } finally {
    snapshot.release();
  }
}

/** Without a base before it the next one is whole. Otherwise one lost object would end all bases, and with them all writes. */
async function tablesOf(
  store: BlobStore,
  name: string,
  { onLost, signal }: MakeBaseOptions,
): Promise<readonly TableObject[]> {
  try {
    return (await readBase(store, name, { ...(signal && { signal }) })).tables;
  } catch (error) {
    if (!KayaError.is(error, "KAYA_CORRUPTION") && !KayaError.is(error, "KAYA_NOT_FOUND")) throw error;
    onLost?.(error);
    return [];
  }
}
