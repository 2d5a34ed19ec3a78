import { readFileSync } from "node:fs";
import type { TypedSystem } from "./typed-system.js";

/** What an acknowledged write has survived: a power cut (`durable`), or the end of the process (`relaxed`). */
export type Durability = "durable" | "relaxed";

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface ScanRequest {
  /** In large pages where the store has them, or entry by entry with its own iterator. */
  readonly by: "pages" | "entries";
  readonly reverse?: boolean;
  /** The first key, in the direction of the scan, or the place where it would be. */
  readonly from?: Uint8Array;
  readonly limit?: number;
  /** Called for each entry, in order. */
  readonly visit: (key: Uint8Array, value: Uint8Array) => void;
}

/** The bound that many stores take for `from`. */
export function boundOf<Key extends Uint8Array>(
  from: Key | undefined,
  reverse = false,
): { gte?: Key; lte?: Key } {
  if (from === undefined) return {};
  return reverse ? { lte: from } : { gte: from };
}

/** Entries of one page of a scan by pages. */
export const PAGE_ENTRIES = 1000;

/** Makes the next value of a key out of its value; undefined where it has none. */
export type Change = (value: Uint8Array | undefined) => Uint8Array;

/** An open store. Methods that it lacks are absent, and their rows are left out. */
export interface Store {
  /** Settles when the entry is as durable as the store was opened for. */
  put(key: Uint8Array, value: Uint8Array): unknown;
  /** All or nothing. */
  batch(entries: readonly Entry[]): unknown;
  /** A put whose entry is as durable as the store was opened for when it returns. */
  putSync?(key: Uint8Array, value: Uint8Array): unknown;
  /**
   * Reads these keys and writes the results of `change`, in one serializable transaction. Settles when that is as durable as the
   * store was opened for.
   */
  transact?(keys: readonly Uint8Array[], change: Change): unknown;
  /** The same for one key, where the store has a way of its own for that. */
  update?(key: Uint8Array, change: Change): unknown;
  /** Does work that earlier writes left for later. */
  flush?(): Promise<void>;
  getSync?(key: Uint8Array): Uint8Array | undefined;
  get?(key: Uint8Array): Promise<Uint8Array | undefined>;
  scan?(request: ScanRequest): Promise<void>;
  close(): Promise<void>;
}

/** Memory limits of a store, if the bench sets them. */
export interface StoreMemory {
  /** Of blocks, pages or rows that were read. */
  readonly cacheBytes: number;
  /** Of writes that are not in a table yet, those that are being written to one included; for stores that have such a thing. */
  readonly writeBufferBytes: number;
}

export interface System {
  readonly name: string;
  /** `raw` is no store, but an upper bound for stores. */
  readonly kind: "kaya" | "raw" | "peer";
  /** The npm package; absent where it is part of this repository or of Node. */
  readonly packageName?: string;
  /** Absent: that of the package or of this repository. */
  readonly version?: string;
  /** False for a store in memory only: it has no durable rows and cannot be opened again. */
  readonly onDisk: boolean;
  /** Puts that are called in one turn share a commit, without help. */
  readonly gathersPuts?: true;
  /** Absent: it has bytes only, or only what another column has. */
  readonly typed?: TypedSystem;
  /** For the reader of the report: how it is opened for `durable` and `relaxed`, and by which call its stores `transact`. */
  readonly setup: { readonly durable?: string; readonly relaxed: string; readonly transactions?: string };
  /**
   * @param memory absent: the store's defaults. A store that cannot be told ignores it.
   * @throws PeerMissing where its package is not installed
   */
  open(dir: string, durability: Durability, memory?: StoreMemory): Promise<Store>;
}

/** A peer's package is not there, or has no binary for this machine: its rows are left out. */
export class PeerMissing extends Error {}

/**
 * A peer's module. Peers are optional: they are not imported by name, and the adapter has its own types.
 * @throws PeerMissing
 */
export async function loadPeer<Module>(name: string): Promise<Module> {
  try {
    return (await import(name)) as Module;
  } catch (error) {
    throw new PeerMissing(`${name} cannot be loaded: ${String(error)}`, { cause: error });
  }
}

/**
 * Opens what loads a binary only then.
 * @throws PeerMissing where the binary is one for another Node
 */
export function openWithBinary<Database>(name: string, open: () => Database): Database {
  try {
    return open();
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_DLOPEN_FAILED") throw error;
    throw new PeerMissing(`the binary of ${name} cannot be loaded: ${String(error)}`, { cause: error });
  }
}

/** The version of a peer's package as it is installed; undefined where it is not. */
export function installedVersion(name: string): string | undefined {
  try {
    const manifest = readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), "utf8");
    return (JSON.parse(manifest) as { version: string }).version;
  } catch {
    return undefined; // not installed is an answer
  }
}
