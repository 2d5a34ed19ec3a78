import { setMaxListeners } from "node:events";
import { asKayaError, KayaError, type Lsn } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import type { Replica } from "@kaya/engine/replica";
import type { BaseKeeper, KeeperHost } from "./base-keeper.js";
import { Candidate } from "./candidate.js";
import { type NodeMessage, type NodeRole, tell } from "./channels.js";
import { claimLog } from "./claim.js";
import type { ClusterClock } from "./clock.js";
import type { SeenHead } from "./epoch-starts.js";
import { assertNotAhead, type FollowHost, follow, isFinal, replayTo } from "./follower.js";
import { keepAlive } from "./keep-alive.js";
import { KnownLog } from "./known-log.js";
import { Lag } from "./lag.js";
import { Leading } from "./leading.js";
import { ReadBarrier } from "./linearizable.js";
import { NewTroubles } from "./new-troubles.js";
import { NodeEvents } from "./node-events.js";
import { PresenceKeeper } from "./presence.js";
import { notLeader, noWriter, sameNode, stillClaiming, writesFailed } from "./refusals.js";
import type { LogHead, NodeInfo, SharedLog } from "./shared-log.js";
import { ClusterCounters, type ClusterStats } from "./stats.js";
import { Wake } from "./wake.js";
import { TimeIsUp, within } from "./within.js";

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

/** The first pause of a follower after a failure. Pauses double, up to `presenceMs`. */
const RETRY_MS = 100;
/** How often a reader checks whether a record is applied, if nothing wakes it. */
const POLL_MS = 2;

/**
 * One node: an engine whose log is a prefix of the shared log (C1), and its role.
 *
 * One loop follows, claims and leads, one after the other. Each role ends its calls before the next begins. C6: the node claims, replays to the head that the
 * claim made, and only then accepts writes.
 */
export class ClusterNode {
  readonly counters = new ClusterCounters();
  readonly events = new NodeEvents();
  readonly #options: NodeOptions;
  readonly #known: KnownLog;
  readonly #newTroubles: NewTroubles;
  readonly #lag: Lag;
  readonly #presence: PresenceKeeper;
  readonly #candidate: Candidate;
  readonly #barrier: ReadBarrier;
  readonly #closing = new AbortController();
  /** Aborts when the node closes or fails: the loop of roles ends. */
  readonly #ended = new AbortController();
  readonly #host: FollowHost;
  /** Woken by each change of role, head or position. */
  readonly #changed = new Wake();
  /** Only the role: writes wait for it by the thousand. */
  readonly #roleChanged = new Wake();
  readonly #membersChanged = new Wake();
  #replica: Replica;
  #role: NodeRole = "follower";
  /** No record here has a later epoch. */
  #notedEpoch = 0;
  #retryMs = RETRY_MS;
  /** The role in this node's presence. It becomes "writer" before the claim. */
  #toldRole: NodeInfo["role"] = "follower";
  #leading: Leading | undefined;
  #keeper: BaseKeeper | undefined;
  #failure: KayaError | undefined;
  /** Why a base that this node needs cannot be loaded, or records cannot be written here. */
  #stuck: KayaError | undefined;
  #running: Promise<void> | undefined;
  /** Settles when the newest epoch of this node as the writer has ended. */
  #led: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;
  /** Called with another engine, before it is read or written. */
  onEngine: (engine: Engine) => void = () => undefined;

  constructor(replica: Replica, options: NodeOptions) {
    const { log, clock, presenceMs, commitTimeoutMs } = options;
    // Each waiting call adds a listener.
    setMaxListeners(0, this.#closing.signal, this.#ended.signal);
    this.#replica = replica;
    this.#options = options;
    this.#known = new KnownLog(log.name, clock, (head, before) => this.#sawHead(head, before), options.seen);
    this.#notedEpoch = options.seen?.epoch ?? 0;
    this.#newTroubles = new NewTroubles(clock, presenceMs);
    this.#lag = new Lag(clock, () => this.#message());
    const info = () => this.#info();
    const reading = () => this.#known.reading();
    const onTrouble = (error: unknown) => this.#trouble(error);
    const onAnswer = () => this.#known.answered();
    this.#presence = new PresenceKeeper({ log, clock, presenceMs, info, onTrouble, onAnswer });
    const onBroken = (error: KayaError) => this.#fail(error);
    this.#candidate = new Candidate({ log, clock, presenceMs, info, reading, onTrouble, onBroken });
    this.#barrier = new ReadBarrier({
      log,
      clock,
      timeoutMs: commitTimeoutMs,
      reading,
      applied: (lsn, signal) => this.#applied(lsn, signal),
    });
    this.#host = {
      log,
      replica: () => this.#replica,
      reading,
      entering: (epoch) => this.#entering(epoch),
      applied: () => this.#advanced(),
      trouble: onTrouble,
    };
  }

  /** The engine of this node now. After a base was loaded it is another one. */
  get engine(): Engine {
    return this.#replica.engine;
  }

  get role(): NodeRole {
    return this.#role;
  }

  get nodeId(): string {
    return this.#options.nodeId;
  }

  get epoch(): number {
    return this.#known.head?.epoch ?? 0;
  }

  get leader(): string | undefined {
    return this.#known.head?.address;
  }

  get lsn(): Lsn {
    return this.#replica.position.lsn;
  }

  /** The error that ended writing and following; undefined while the node works. */
  get failure(): KayaError | undefined {
    return this.#failure ?? this.engine.failure;
  }

  get stats(): ClusterStats {
    const { nodeId, tailMaxBytes } = this.#options;
    const headLsn = Math.max(this.#known.head?.lsn ?? 0, this.lsn);
    return {
      nodeId,
      role: this.#role,
      epoch: this.epoch,
      leader: this.leader,
      lsn: this.lsn,
      headLsn,
      lagRecords: headLsn - this.lsn,
      lagMs: this.#lag.ms,
      contactAgeMs: this.#known.contactAgeMs,
      tail: { bytes: this.#leading?.keeper.tailBytes ?? 0, limitBytes: tailMaxBytes },
      base: this.#keeper?.base && { lsn: this.#keeper.base.lsn },
      ...this.counters.counts,
    };
  }

  /**
   * Begins. Resolves when this node has the records up to the head that it found, or is the writer; or when the log does not answer, and the node has data.
   * @throws KayaError the error that makes the node fail
   */
  async start(): Promise<void> {
    const { engine } = this;
    this.#watchFailure();
    this.#presence.start();
    const onMembers = () => {
      this.#candidate.wake();
      this.#membersChanged.wake();
    };
    this.#options.log.watchMembers(onMembers, { signal: this.#closing.signal });
    this.#running = this.#run();
    await this.#begun(engine);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when the node is no longer becoming the writer: writes are accepted, or refused. */
  async decided(): Promise<void> {
    const { clock, commitTimeoutMs, log } = this.#options;
    const deadline = clock.now() + commitTimeoutMs;
    while (this.#role === "claiming") {
      const left = deadline - clock.now();
      if (left <= 0) throw stillClaiming(log.name, commitTimeoutMs);
      this.#closing.signal.throwIfAborted();
      await this.#roleChanged.pause(clock, left, this.#closing.signal);
    }
  }

  /** Resolves once all writes that were acknowledged before this call can be read here. @throws KayaError KAYA_NO_MAJORITY, KAYA_CLOSED */
  async catchUp(): Promise<Lsn> {
    const began = this.#options.clock.now();
    const lsn = await keepAlive(this.#barrier.pass(this.#closing.signal));
    this.counters.madeLinearizable(this.#options.clock.now() - began);
    return lsn;
  }

  /** Becomes the writer. @throws KayaError KAYA_NO_MAJORITY if it did not in time */
  async promote(): Promise<void> {
    const { clock, commitTimeoutMs, log } = this.#options;
    const deadline = clock.now() + commitTimeoutMs;
    this.#candidate.ask();
    try {
      await this.#wish(log, this.nodeId);
      while (this.#role !== "writer") {
        if (this.failure !== undefined) throw writesFailed(this.failure);
        const left = deadline - clock.now();
        if (left <= 0) throw stillClaiming(log.name, commitTimeoutMs);
        await this.#changed.pause(clock, left, this.#closing.signal);
        this.#closing.signal.throwIfAborted();
      }
    } catch (error) {
      await this.#wish(log, undefined);
      throw error;
    } finally {
      this.#candidate.answered();
    }
  }

  /** Asks through the log for a node as the writer: the present writer makes way. If the call fails, this node claims all the same. */
  async #wish(log: SharedLog, nodeId: string | undefined): Promise<void> {
    const { clock, presenceMs } = this.#options;
    const { signal } = this.#closing;
    try {
      await within(clock, presenceMs, (call) => log.want(nodeId, { signal: call }), signal);
    } catch (error) {
      if (!signal.aborted) this.#trouble(error);
    }
  }

  /** Ends writing here once the writes under way have settled. Other nodes come first to take over. */
  async stepDown(): Promise<void> {
    if (this.#role !== "writer") return;
    this.#candidate.yield();
    this.#leading?.stop();
    await this.#led.catch(() => undefined); // the loop of roles handles the error
  }

  /** The error of a write that this node does not take. */
  refusal(): KayaError {
    const { log, nodeId } = this.#options;
    if (this.failure !== undefined) return writesFailed(this.failure);
    const head = this.#known.head;
    if (head !== undefined && head.writer !== nodeId) return notLeader(log.name, head);
    return noWriter(log.name, this.#known.answers ? undefined : this.#known.lastTrouble);
  }

  /** Finishes the writes under way, ends the presence, and closes the engine. */
  close(): Promise<void> {
    this.#closed ??= keepAlive(this.#close());
    return this.#closed;
  }

  /** Closes after `start` has failed: the log stays open, and no event is sent. */
  async abandon(): Promise<void> {
    this.#closing.abort();
    this.#ended.abort();
    await this.#running;
    await this.#presence.end();
    await this.engine.close().catch(() => undefined); // the first error counts
  }

  async #close(): Promise<void> {
    const reason = new KayaError("KAYA_CLOSED", "the engine is closed: open it again");
    this.#closing.abort(reason);
    this.#ended.abort(reason);
    this.#changed.wake();
    await this.#running;
    await this.#presence.end();
    try {
      await this.engine.close();
    } finally {
      this.#setRole("closed");
      await this.#options.log.close();
    }
  }

  // The loop of roles. It never rejects.
  async #run(): Promise<void> {
    let { claimed } = this.#options;
    try {
      while (!this.#ended.signal.aborted) {
        if (claimed === undefined) await this.#follow();
        if (this.#ended.signal.aborted) break;
        const head: LogHead | undefined = await this.#becomeWriter(claimed);
        claimed = undefined;
        if (head !== undefined) await this.#lead(head);
        if (this.failure !== undefined) throw this.failure;
      }
    } catch (error) {
      this.#fail(asKayaError(error, "work as a node of a cluster"));
    }
  }

  /** Follows until this node should become the writer. */
  async #follow(): Promise<void> {
    this.#toldRole = "follower";
    this.#setRole("follower");
    void this.#presence.tell();
    const stop = new AbortController();
    const end = () => stop.abort();
    const { signal } = this.#ended;
    signal.addEventListener("abort", end, { once: true });
    const following = this.#followOn(stop.signal);
    try {
      await Promise.race([this.#candidate.untilElected(stop.signal), following]);
    } finally {
      signal.removeEventListener("abort", end);
      stop.abort();
      await following;
    }
  }

  /** Applies the log until the signal aborts, and tries again after failures. @throws KayaError a final error */
  async #followOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await follow(this.#host, signal);
      } catch (error) {
        if (signal.aborted && !KayaError.is(error)) return; // the signal's reason
        await this.#getOver(error, signal);
      }
    }
  }

  async #getOver(cause: unknown, signal: AbortSignal): Promise<void> {
    const error = asKayaError(cause, "follow the shared log");
    if (this.failure !== undefined) throw this.failure;
    if (isFinal(error)) throw error;
    if (signal.aborted) return;
    if (error.code === "KAYA_LOG_TRUNCATED") return this.#loadBase(signal);
    if (error.code !== "KAYA_NOT_FOUND") {
      this.#trouble(error);
      if (!NO_ANSWER.includes(error.code)) this.#stuck = error;
    }
    await this.#options.clock.sleep(this.#retryMs, signal);
    this.#retryMs = Math.min(2 * this.#retryMs, this.#options.presenceMs);
  }

  async #loadBase(signal: AbortSignal): Promise<void> {
    try {
      this.#replica = await this.#options.loadBase(this.#replica, signal, (epoch) => this.#entering(epoch));
    } catch (cause) {
      const error = asKayaError(cause, "load a base");
      if (signal.aborted) return;
      if (isFinal(error) || this.engine.state !== "open") throw error;
      this.#stuck = error;
      this.#trouble(error);
      await this.#options.clock.sleep(this.#options.presenceMs / 2, signal);
      return;
    }
    this.counters.baseLoads++;
    this.onEngine(this.engine);
    this.#watchFailure();
    tell("base", () => ({ ...this.#message(), state: "loaded", lsn: this.lsn }));
    this.#advanced();
  }

  /**
   * C6: claims, and replays to the head that the claim made.
   * @returns that head; undefined if this node does not become the writer
   */
  async #becomeWriter(claimed: LogHead | undefined): Promise<LogHead | undefined> {
    const before = this.#known.head;
    this.#toldRole = "writer";
    this.#setRole("claiming");
    await this.#presence.tell();
    try {
      const head = claimed ?? (await this.#claim());
      if (head === undefined) return undefined;
      this.#known.saw(head);
      if (!(await this.#replay(head))) return undefined;
      await this.#entering(head.epoch);
      this.counters.claims++;
      if (before !== undefined && before.writer !== this.nodeId) this.counters.takeovers++;
      return head;
    } catch (cause) {
      if (this.#ended.signal.aborted) return undefined;
      const error = asKayaError(cause, "become the writer");
      if (isFinal(error)) throw error;
      this.#trouble(error);
      this.#candidate.yield();
      return undefined;
    }
  }

  async #claim(): Promise<LogHead | undefined> {
    const { log, clock, nodeId, address, commitTimeoutMs, logId } = this.#options;
    const { lsn, sequence } = this.#replica.position;
    const seen = this.#known.head;
    const { isAsked } = this.#candidate;
    const head = await claimLog({
      log,
      clock,
      claim: { writer: nodeId, address, origin: { logId, lsn, sequence } },
      timeoutMs: commitTimeoutMs,
      reading: () => this.#known.reading(),
      // A node that claimed the log since this one was elected is the writer.
      mayClaim: (head) => {
        if (head === undefined) return false;
        assertNotAhead(log.name, this.#replica, head);
        return head.epoch === (seen?.epoch ?? head.epoch) || head.writer === nodeId;
      },
      isAsked,
      onTrouble: (error) => this.#trouble(error),
      signal: this.#ended.signal,
    });
    // The node follows for a while before it tries again.
    if (head === undefined && !isAsked) this.#candidate.yield();
    return head;
  }

  /** A node that gets no further for a while lets others try: nobody takes over from one that is becoming the writer. */
  async #replay(claimed: LogHead): Promise<boolean> {
    const { signal } = this.#ended;
    const { clock, commitTimeoutMs } = this.#options;
    const isMine = (head: LogHead) => head.epoch === claimed.epoch;
    let [reached, since] = [this.lsn, clock.now()];
    while (!signal.aborted) {
      if (this.lsn > reached) [reached, since] = [this.lsn, clock.now()];
      if (clock.now() - since >= commitTimeoutMs) {
        this.#candidate.yield();
        return false;
      }
      try {
        assertNotAhead(this.#options.log.name, this.#replica, claimed);
        return await replayTo(this.#host, claimed.lsn, signal, isMine);
      } catch (error) {
        await this.#getOver(error, signal);
        if ((this.#known.head?.epoch ?? 0) > claimed.epoch) return false;
      }
    }
    return false;
  }

  /** Leads until this node is no longer the writer. */
  async #lead(head: LogHead): Promise<void> {
    const { signal } = this.#ended;
    if (signal.aborted) return;
    const leading = new Leading({
      ...this.#options,
      head,
      replica: this.#replica,
      known: this.#known,
      counters: this.counters,
      membersChanged: this.#membersChanged,
      message: () => this.#message(),
      trouble: (error) => this.#trouble(error),
      ended: () => this.#setRole("follower"),
      yielded: () => this.#candidate.yield(),
    });
    const end = () => leading.stop();
    signal.addEventListener("abort", end, { once: true });
    this.#leading = leading;
    this.#keeper = leading.keeper;
    this.#setRole("writer");
    this.#progressed();
    this.#candidate.answered();
    this.#led = leading.run();
    try {
      await this.#led;
    } finally {
      signal.removeEventListener("abort", end);
      this.#leading = undefined;
    }
  }

  async #entering(epoch: number): Promise<void> {
    if (epoch <= this.#notedEpoch) return;
    await this.#options.noteEpoch(epoch);
    this.#notedEpoch = epoch;
  }

  #sawHead(head: LogHead, before: LogHead | undefined): void {
    this.#leading?.observe(head);
    if (
      before !== undefined &&
      head.epoch > before.epoch &&
      head.writer === this.nodeId &&
      this.#role !== "claiming"
    )
      this.#trouble(sameNode(this.#options.log.name, head));
    if (before === undefined || head.epoch > before.epoch) {
      if (head.epoch > 0) this.events.tell("leader", head.address, head.writer, head.epoch);
    }
    this.#progressed();
  }

  /** The position has moved. */
  #advanced(): void {
    this.#retryMs = RETRY_MS;
    this.#stuck = undefined;
    this.#progressed();
  }

  /** The head or the position has moved. */
  #progressed(): void {
    this.#newTroubles.clear();
    const headLsn = this.#known.head?.lsn ?? 0;
    // The writer has everything as soon as it acknowledges it.
    this.#lag.update(this.#role === "writer" ? headLsn : this.lsn, headLsn);
    this.#changed.wake();
  }

  async #applied(lsn: Lsn, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (this.lsn < lsn) {
      if (this.#failure !== undefined) throw writesFailed(this.#failure);
      signal.throwIfAborted();
      // Nothing wakes this pause when the writer applies its own records.
      await (this.#role === "writer"
        ? clock.sleep(POLL_MS, signal)
        : this.#changed.pause(clock, 1_000, signal));
    }
  }

  async #begun(engine: Engine): Promise<void> {
    const { clock, commitTimeoutMs, claimed } = this.#options;
    const began = clock.now();
    const hadData = this.lsn > 0;
    let target = claimed?.lsn;
    while (this.#failure === undefined && this.#role !== "writer" && !this.#closing.signal.aborted) {
      target ??= this.#known.head?.lsn;
      const isLate = clock.now() - began >= commitTimeoutMs;
      // A node that cannot find the writer in time follows.
      const isDecided = this.#role === "follower" && (isLate || this.#candidate.hasDecidedToFollow);
      if (isDecided && target !== undefined && this.lsn >= target) return;
      if (isLate && (!this.#known.answers || this.#stuck !== undefined)) {
        if (hadData && engine.state === "open") return;
        if (this.#stuck !== undefined) throw this.#stuck;
      }
      await this.#changed.pause(clock, 50, this.#closing.signal);
    }
  }

  #watchFailure(): void {
    const replica = this.#replica;
    replica.onFailure(() => {
      const { failure } = replica.engine;
      if (this.#replica === replica && failure !== undefined) this.#fail(failure);
    });
  }

  /** C5: the node only reads from now on. Another node takes over. */
  #fail(failure: KayaError): void {
    if (this.#failure !== undefined || this.#closing.signal.aborted) return;
    this.#failure = failure;
    this.#setRole("failed");
    this.#ended.abort();
    this.#newTroubles.clear();
    this.#trouble(failure);
    void this.#presence.end();
    this.#changed.wake();
  }

  #setRole(role: NodeRole): void {
    const before = this.#role;
    if (before === role || before === "closed" || (before === "failed" && role !== "closed")) return;
    this.#role = role;
    this.#changed.wake();
    this.#roleChanged.wake();
    tell("role", () => ({ ...this.#message(), role, before, epoch: this.epoch }));
    this.events.tell("role", role, before);
  }

  #trouble(cause: unknown): void {
    const error = troubleOf(this.#options.log.name, cause);
    this.counters.trouble(error);
    if (NO_ANSWER.includes(error.code)) this.#known.failed(error);
    if (!this.#newTroubles.isNew(error)) return;
    tell("trouble", () => ({ ...this.#message(), error }));
    this.events.tell("trouble", error);
  }

  #message(): NodeMessage {
    return { dataDir: this.engine.dataDir, nodeId: this.nodeId };
  }

  #info(): NodeInfo {
    const { nodeId: id, address, isFollowerOnly } = this.#options;
    return { id, address, role: this.#toldRole, isFollowerOnly, lsn: this.lsn };
  }
}

const NO_ANSWER: readonly KayaError["code"][] = [
  "KAYA_NO_MAJORITY",
  "KAYA_IN_DOUBT",
  "KAYA_IO",
  "KAYA_CLOSED",
];

function troubleOf(name: string, cause: unknown): KayaError {
  if (cause instanceof TimeIsUp)
    return new KayaError("KAYA_NO_MAJORITY", `${name}: ${cause.message}`, { cause });
  return asKayaError(cause, `reach ${name}`);
}
