import type { EngineConfig, LogPosition } from "@kaya/core";
import type { Found, FoundTree, LsmSnapshot, LsmStats, LsmTree } from "@kaya/lsm";
import type { LogCover, WalRecord } from "@kaya/wal";
import { AppliedLog } from "../apply.js";
import { coveredLogId } from "../backup/backup-identity.js";
import type { Now } from "../clock.js";
import type { MemtableOptions } from "../memtable/memtable.js";
import type { Turns } from "../turns.js";
import { StagedReplay } from "./staged-replay.js";
import { Store, type Tables } from "./store.js";

interface FoundStoreOptions {
  /** Only looks: however long the log is, it becomes no table. Default false. */
  readonly looks?: boolean;
  readonly memtable?: MemtableOptions | undefined;
  readonly turns?: Turns | undefined;
  /** The time that readers see. Default: the system's. */
  readonly now?: Now | undefined;
}

/** Tables that nobody here changes, at one moment: they stay what they are when the tree moves on. */
class LookedAtTables implements Tables {
  readonly #tree: FoundTree;
  readonly #snapshot: LsmSnapshot;
  readonly #shape: Pick<LsmStats, "covered" | "levels" | "tables" | "bytes">;

  constructor(tree: FoundTree) {
    this.#tree = tree;
    this.#snapshot = tree.snapshot();
    const { covered, levels, tables, bytes } = tree.stats();
    this.#shape = { covered, levels, tables, bytes };
  }

  get covered(): LogPosition {
    return this.#snapshot.covered;
  }

  find(key: Uint8Array): Found | undefined | Promise<Found | undefined> {
    return this.#snapshot.find(key);
  }

  getSync(key: Uint8Array): Found | undefined {
    return this.#snapshot.getSync(key);
  }

  snapshot(): LsmSnapshot {
    return this.#snapshot.another();
  }

  stats(): LsmStats {
    return { ...this.#tree.stats(), ...this.#shape };
  }

  /** Reads under way, snapshots and scans keep what they need. */
  release(): void {
    this.#snapshot.release();
  }
}

/**
 * The tables of a directory, found and not changed yet, and the log that is replayed on top of them. A log that does not fit a
 * memtable becomes tables while it is replayed; no manifest names those before recovery has decided what counts (L6).
 */
export class FoundStore {
  readonly applied: AppliedLog;
  readonly #tree: FoundTree;
  /** Undefined where it only looks. */
  readonly #staged: StagedReplay | undefined;
  #looked: LookedAtTables | undefined;

  constructor(
    tree: FoundTree,
    config: EngineConfig,
    { looks = false, memtable, turns, now }: FoundStoreOptions = {},
  ) {
    this.#tree = tree;
    this.applied = new AppliedLog(new Store(memtable, now), tree.covered, turns);
    const stage = tree.stage.bind(tree);
    this.#staged = looks ? undefined : new StagedReplay(this.applied, config, stage);
  }

  /** What the tables cover of the log. */
  get covered(): LogPosition {
    return this.#tree.covered;
  }

  /** For recovery, which checks that the log beside the tables is the one that they cover. */
  get covers(): LogCover[] {
    return coversOf(this.#tree);
  }

  /** For a record behind what the tables cover, in LSN order. The next one comes once the promise has resolved. */
  replay(record: WalRecord): Promise<void> | undefined {
    return (this.#staged ?? this.applied).replay(record);
  }

  /** For a read-only engine: reads what was found, and changes nothing. */
  look(): AppliedLog {
    this.#looked = new LookedAtTables(this.#tree);
    this.applied.store.attach(this.#looked);
    return this.applied;
  }

  /** Lets go of what `look` holds: another look at the same tree took its place. */
  unlook(): void {
    this.#looked?.release();
  }

  /**
   * Goes on with the tables: makes them durable, together with those that the replayed log became.
   * @param logIdentity of the log that was replayed
   */
  async open(logIdentity: string): Promise<LsmTree> {
    const tree = await this.#tree.open({ logIdentity });
    this.applied.store.attach(tree);
    return tree;
  }

  /** Lets go of the tables where nothing is opened: removes those that the replayed log became. */
  close(): Promise<void> {
    return this.#tree.close();
  }
}

/** Which log tables cover, and how far. */
export function coversOf({ covered, logIdentity, path }: FoundTree): LogCover[] {
  const id = coveredLogId(logIdentity);
  return id === undefined ? [] : [{ path, lsn: covered.lsn, id }];
}
