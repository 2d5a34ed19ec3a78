import { setMaxListeners } from "node:events";
import { asKayaError, KayaError, type Lsn } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import type { Replica } from "@kaya/engine/replica";
import type { BaseKeeper, KeeperHost } from "./base-keeper.js";
import { type NodeMessage, type NodeRole, tell } from "./channels.js";
import type { ClusterClock } from "./clock.js";
import type { SeenHead } from "./epoch-starts.js";
import { KnownLog } from "./known-log.js";
import { Lag } from "./lag.js";
import { NewTroubles } from "./new-troubles.js";
import { NodeEvents } from "./node-events.js";
import { sameNode, writesFailed } from "./refusals.js";
import type { LogBase, LogHead, NodeInfo, SharedLog } from "./shared-log.js";
import { ClusterCounters, type ClusterStats } from "./stats.js";
import { Wake } from "./wake.js";
import { TimeIsUp } from "./within.js";

export interface NodeOptions {
  readonly log: SharedLog;
  readonly clock: ClusterClock;
  readonly nodeId: string;
  readonly address: string | undefined;
  readonly isFollowerOnly: boolean;
  readonly commitTimeoutMs: number;
  readonly presenceMs: number;
  readonly tailMaxBytes: number;
  /** The id of the log, from its first claim or from the directory. */
  readonly logId: string;
  /** The head that this process's claim made before the directory was opened. */
  readonly claimed: LogHead | undefined;
  /** The error of the log, if it gave no answer for `commitTimeoutMs` before the directory was opened. */
  readonly silence: KayaError | undefined;
  /** Makes the keeper of bases for a new epoch. */
  readonly keeper: (host: KeeperHost) => BaseKeeper;
  /** Begins the directory with the base that the log names. Closes the replica that is given, and gives another one. */
  readonly loadBase: (
    replica: Replica,
    signal: AbortSignal,
    entering: (epoch: number) => Promise<void>,
  ) => Promise<Replica>;
  /** The newest state of the log that an earlier process of this node has seen. */
  readonly seen: SeenHead | undefined;
  /** Notes durably that no record here has a later epoch. */
  readonly noteEpoch: (epoch: number) => Promise<void>;
}

/** How often a reader checks whether a record is applied, if nothing wakes it. */
const LOOK_MS = 1_000;

/**
 * A node's state: its replica, its role, its failure, and its knowledge of the shared log. It tells each change to those who wait for it: events, channels,
 * and pauses on `changed` and `roleChanged`. It decides nothing: `RoleLoop` does.
 */
export class NodeState {
  readonly options: NodeOptions;
  readonly counters = new ClusterCounters();
  readonly events = new NodeEvents();
  readonly known: KnownLog;
  /** Woken by each change of role, head or position. */
  readonly changed = new Wake();
  /** Woken by a change of role only: writes wait for it by the thousand. */
  readonly roleChanged = new Wake();
  /** The role in this node's presence. It becomes "writer" before the claim, so that no other node takes the new writer for gone. */
  toldRole: NodeInfo["role"] = "follower";
  /** Why a base that this node needs cannot be loaded, or records cannot be written here. The next record that is applied clears it. */
  stuck: KayaError | undefined;
  /** Why this directory took no writes at the last look before a claim; undefined if it did, or if there was no need to look. */
  noRoom: KayaError | undefined;
  /** Called with another engine, before it is read or written. */
  onEngine: (engine: Engine) => void = () => undefined;
  /** Called with each newer head. */
  onHead: (head: LogHead) => void = () => undefined;
  /** Called once when the node fails. */
  onFailed: () => void = () => undefined;
  readonly #newTroubles: NewTroubles;
  readonly #lag: Lag;
  readonly #closing = new AbortController();
  readonly #ended = new AbortController();
  /** C1: its log is a prefix of the shared log. */
  #replica: Replica;
  /** After "failed" only "closed" follows, and nothing after "closed". */
  #role: NodeRole = "follower";
  /** True: the next batch that the replica applies wakes `changed`. */
  #listens = false;
  /** The first error counts. It stays. */
  #failure: KayaError | undefined;
  /** No record here has a later epoch. It never goes back. */
  #notedEpoch: number;

  constructor(replica: Replica, options: NodeOptions) {
    const { log, clock, presenceMs, seen, silence } = options;
    // Each waiting call adds a listener.
    setMaxListeners(0, this.#closing.signal, this.#ended.signal);
    this.options = options;
    this.#replica = replica;
    this.known = new KnownLog(log.name, clock, (head, before) => this.#sawHead(head, before), seen);
    if (silence !== undefined) this.known.failed(silence);
    this.#notedEpoch = seen?.epoch ?? 0;
    this.#newTroubles = new NewTroubles(clock, presenceMs);
    this.#lag = new Lag(clock, () => this.message());
  }

  /** Aborts when the node closes, with the error for its callers. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Aborts when the node closes or fails: it takes no role any more. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  get replica(): Replica {
    return this.#replica;
  }

  get engine(): Engine {
    return this.#replica.engine;
  }

  get role(): NodeRole {
    return this.#role;
  }

  /** The last record that can be read here. */
  get lsn(): Lsn {
    return this.#replica.position.lsn;
  }

  /** The error that ended writing and following; undefined while the node works. */
  get failure(): KayaError | undefined {
    return this.#failure ?? this.engine.failure;
  }

  /** The facts that this node publishes about itself. */
  get info(): NodeInfo {
    const { nodeId: id, address, isFollowerOnly } = this.options;
    return { id, address, role: this.toldRole, isFollowerOnly, lsn: this.lsn };
  }

  /** The node as messages on channels name it. */
  message(): NodeMessage {
    return { dataDir: this.engine.dataDir, nodeId: this.options.nodeId };
  }

  /** @param tailBytes 0 if the node is not the writer */
  stats(tailBytes: number, base: LogBase | undefined): ClusterStats {
    const { nodeId, tailMaxBytes } = this.options;
    const { head } = this.known;
    const headLsn = Math.max(head?.lsn ?? 0, this.lsn);
    return {
      nodeId,
      role: this.#role,
      epoch: this.known.epoch,
      leader: head?.address,
      lsn: this.lsn,
      headLsn,
      lagRecords: headLsn - this.lsn,
      lagMs: this.#lag.ms,
      contactAgeMs: this.known.contactAgeMs,
      tail: { bytes: tailBytes, limitBytes: tailMaxBytes },
      base: base && { lsn: base.lsn },
      ...this.counters.counts,
    };
  }

  setRole(role: NodeRole): void {
    const before = this.#role;
    if (before === role || before === "closed" || (before === "failed" && role !== "closed")) return;
    this.#role = role;
    this.changed.wake();
    this.roleChanged.wake();
    tell("role", () => ({ ...this.message(), role, before, epoch: this.known.epoch }));
    this.events.tell("role", role, before);
  }

  /** The node has another replica, which began with a base. */
  replaceReplica(replica: Replica): void {
    this.#replica = replica;
    this.#listens = false;
    this.counters.baseLoads++;
    this.onEngine(replica.engine);
    this.watchFailure();
    tell("base", () => ({ ...this.message(), state: "loaded", lsn: this.lsn }));
  }

  /** The node fails when its engine does. */
  watchFailure(): void {
    const replica = this.#replica;
    replica.onFailure(() => {
      const { failure } = replica.engine;
      if (this.#replica === replica && failure !== undefined) this.fail(failure);
    });
  }

  /** C5: the node only reads from now on. Another node takes over. */
  fail(failure: KayaError): void {
    if (this.#failure !== undefined || this.closing.aborted) return;
    this.#failure = failure;
    this.setRole("failed");
    this.#ended.abort();
    this.#newTroubles.clear();
    this.trouble(failure);
    this.onFailed();
    this.changed.wake();
  }

  /** The node takes no role any more. @param reason the error for calls that wait */
  close(reason?: KayaError): void {
    this.#closing.abort(reason);
    this.#ended.abort(reason);
    this.changed.wake();
  }

  /** Tells a failure of a call of the shared log, which is tried again. */
  trouble(cause: unknown): void {
    const error = troubleOf(this.options.log.name, cause);
    if (isNoAnswer(error)) this.known.failed(error);
    this.ownTrouble(error);
  }

  /** Tells a failure of this node itself: it says nothing about the shared log. */
  ownTrouble(error: KayaError): void {
    this.counters.trouble(error);
    if (!this.#newTroubles.isNew(error)) return;
    tell("trouble", () => ({ ...this.message(), error }));
    this.events.tell("trouble", error);
  }

  /** Records of epochs up to this one may come. Resolves when that is noted durably. */
  async entering(epoch: number): Promise<void> {
    if (epoch <= this.#notedEpoch) return;
    await this.options.noteEpoch(epoch);
    this.#notedEpoch = epoch;
  }

  /** Records were applied. */
  advanced(): void {
    this.stuck = undefined;
    this.progressed();
  }

  /** The head, the position or the role has moved. */
  progressed(): void {
    this.#newTroubles.clear();
    const headLsn = this.known.head?.lsn ?? 0;
    // The writer has everything as soon as it acknowledges it.
    this.#lag.update(this.#role === "writer" ? headLsn : this.lsn, headLsn);
    this.changed.wake();
  }

  /** Resolves once the records up to `lsn` can be read here. @throws KayaError KAYA_WRITER_FAILED; or the signal's reason */
  async untilApplied(lsn: Lsn, signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    while (this.lsn < lsn) {
      if (this.failure !== undefined) throw writesFailed(this.failure);
      signal.throwIfAborted();
      this.#listen();
      await this.changed.pause(clock, LOOK_MS, signal);
    }
  }

  /** The replica of the writer applies its own records: it wakes those who wait. Without any, a batch costs nothing. */
  #listen(): void {
    if (this.#listens) return;
    this.#listens = true;
    const replica = this.#replica;
    replica.onApplied(() => {
      if (this.#replica !== replica) return;
      this.#listens = false;
      this.changed.wake();
    });
  }

  #sawHead(head: LogHead, before: LogHead | undefined): void {
    this.onHead(head);
    const isNewEpoch = before === undefined || head.epoch > before.epoch;
    const { log, nodeId } = this.options;
    if (before !== undefined && isNewEpoch && head.writer === nodeId && this.#role !== "claiming")
      this.trouble(sameNode(log.name, head));
    if (isNewEpoch && head.epoch > 0) this.events.tell("leader", head.address, head.writer, head.epoch);
    this.progressed();
  }
}

const NO_ANSWER: readonly KayaError["code"][] = [
  "KAYA_NO_MAJORITY",
  "KAYA_IN_DOUBT",
  "KAYA_IO",
  "KAYA_CLOSED",
];

/** Whether an error may come from a log that does not answer. */
export function isNoAnswer({ code }: KayaError): boolean {
  return NO_ANSWER.includes(code);
}

/** The error of a call of the shared log. A call whose time is over got no answer. */
export function troubleOf(name: string, cause: unknown): KayaError {
  if (cause instanceof TimeIsUp)
    return new KayaError("KAYA_NO_MAJORITY", `${name}: ${cause.message}`, { cause });
  return asKayaError(cause, `reach ${name}`);
}
