import { asKayaError, KayaError, type Lsn } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import type { Replica } from "@kaya/engine/replica";
import { Candidate } from "./candidate.js";
import type { NodeRole } from "./channels.js";
import type { ClusterClock } from "./clock.js";
import { keepAlive } from "./keep-alive.js";
import { ReadBarrier } from "./linearizable.js";
import type { NodeEvents } from "./node-events.js";
import { type NodeOptions, NodeState } from "./node-state.js";
import { PresenceKeeper } from "./presence.js";
import { noRoom, notLeader, noWriter, stillClaiming, writesFailed } from "./refusals.js";
import { RoleLoop } from "./role-loop.js";
import type { ClusterStats } from "./stats.js";
import { within } from "./within.js";

/** How often an opening looks again, if nothing wakes it. */
const LOOK_MS = 50;

/**
 * One node: an engine whose log is a prefix of the shared log (C1), and its role. It has the calls of `ClusterEngine`, and puts the parts together: `NodeState`
 * has what the node knows, `RoleLoop` follows, claims and leads, and `PresenceKeeper` tells other nodes that this one is there.
 */
export class ClusterNode {
  readonly #state: NodeState;
  readonly #presence: PresenceKeeper;
  readonly #candidate: Candidate;
  readonly #roles: RoleLoop;
  readonly #barrier: ReadBarrier;
  #closed: Promise<void> | undefined;

  constructor(replica: Replica, options: NodeOptions) {
    const { log, clock, presenceMs, commitTimeoutMs } = options;
    const state = new NodeState(replica, options);
    const info = () => state.info;
    const reading = () => state.known.reading();
    const onTrouble = (error: unknown) => state.trouble(error);
    const onAnswer = () => state.known.answered();
    const onBroken = (error: KayaError) => state.fail(error);
    this.#state = state;
    this.#presence = new PresenceKeeper({ log, clock, presenceMs, info, onTrouble, onAnswer });
    this.#candidate = new Candidate({ log, clock, presenceMs, info, reading, onTrouble, onBroken });
    this.#roles = new RoleLoop(state, this.#candidate, this.#presence);
    const applied = (lsn: Lsn, signal: AbortSignal) => state.untilApplied(lsn, signal);
    this.#barrier = new ReadBarrier({ log, clock, timeoutMs: commitTimeoutMs, reading, applied });
    state.onFailed = () => void this.#presence.end();
  }

  get clock(): ClusterClock {
    return this.#state.options.clock;
  }

  /** The engine of this node now. After a base was loaded it is another one. */
  get engine(): Engine {
    return this.#state.engine;
  }

  /** Set it to a function that is called with another engine, before that is read or written. */
  set onEngine(call: (engine: Engine) => void) {
    this.#state.onEngine = call;
  }

  get events(): NodeEvents {
    return this.#state.events;
  }

  get role(): NodeRole {
    return this.#state.role;
  }

  get nodeId(): string {
    return this.#state.options.nodeId;
  }

  get epoch(): number {
    return this.#state.known.epoch;
  }

  get leader(): string | undefined {
    return this.#state.known.head?.address;
  }

  get lsn(): Lsn {
    return this.#state.lsn;
  }

  /** The error that ended writing and following; undefined while the node works. */
  get failure(): KayaError | undefined {
    return this.#state.failure;
  }

  get stats(): ClusterStats {
    return this.#state.stats(this.#roles.tailBytes, this.#roles.base);
  }

  /**
   * Begins. Resolves when this node has the records up to the head that it found, or is the writer; or when the log does not answer, and the node has data.
   * @throws KayaError the error that makes the node fail
   */
  async start(): Promise<void> {
    const state = this.#state;
    const { engine } = state; // it may be replaced by the engine of a base
    state.watchFailure();
    this.#presence.start();
    state.options.log.watchMembers(() => this.#roles.membersChanged(), { signal: state.closing });
    this.#roles.start();
    await this.#begun(engine);
    if (state.failure !== undefined) throw state.failure;
  }

  async #begun(engine: Engine): Promise<void> {
    const state = this.#state;
    const { clock, commitTimeoutMs, claimed, silence } = state.options;
    const patienceMs = silence === undefined ? commitTimeoutMs : 0;
    const began = clock.now();
    const hadData = state.lsn > 0;
    let target = claimed?.lsn;
    while (state.failure === undefined && state.role !== "writer" && !state.closing.aborted) {
      target ??= state.known.head?.lsn;
      const isLate = clock.now() - began >= patienceMs;
      // A node that cannot find the writer in time follows.
      const isDecided = state.role === "follower" && (isLate || this.#candidate.hasDecidedToFollow);
      if (isDecided && target !== undefined && state.lsn >= target) return;
      if (isLate && (!state.known.answers || state.stuck !== undefined)) {
        if (hadData && engine.state === "open") return;
        if (state.stuck !== undefined) throw state.stuck;
      }
      await state.changed.pause(clock, LOOK_MS, state.closing);
    }
  }

  /** Resolves when the node is no longer becoming the writer: writes are accepted, or refused. @throws KayaError KAYA_NO_MAJORITY, KAYA_CLOSED */
  async decided(): Promise<void> {
    const { options, closing, roleChanged } = this.#state;
    const { clock, commitTimeoutMs, log } = options;
    const deadline = clock.now() + commitTimeoutMs;
    while (this.role === "claiming") {
      const left = deadline - clock.now();
      if (left <= 0) throw stillClaiming(log.name, commitTimeoutMs);
      closing.throwIfAborted();
      await roleChanged.pause(clock, left, closing);
    }
  }

  /** The error of a write that this node does not take. */
  refusal(): KayaError {
    const { failure, known, options, noRoom: cause } = this.#state;
    const { log, nodeId } = options;
    if (failure !== undefined) return writesFailed(failure);
    const { head } = known;
    if (head !== undefined && head.writer !== nodeId) return notLeader(log.name, head);
    if (cause !== undefined) return noRoom(log.name, cause);
    return noWriter(log.name, known.answers ? undefined : known.lastTrouble);
  }

  /** Resolves once all writes that were acknowledged before this call can be read here. @throws KayaError KAYA_NO_MAJORITY, KAYA_CLOSED */
  async catchUp(): Promise<Lsn> {
    const { options, closing, counters } = this.#state;
    const began = options.clock.now();
    const lsn = await keepAlive(options.clock, this.#barrier.pass(closing));
    counters.madeLinearizable(options.clock.now() - began);
    return lsn;
  }

  /** Becomes the writer. @throws KayaError KAYA_NO_MAJORITY if it did not in time; KAYA_DISK_FULL, KAYA_IO if its directory takes no writes */
  async promote(): Promise<void> {
    const { options, closing, changed } = this.#state;
    const { clock, commitTimeoutMs, log, nodeId } = options;
    const deadline = clock.now() + commitTimeoutMs;
    await this.#assertRoom();
    this.#candidate.ask();
    try {
      await this.#wish(nodeId);
      while (this.role !== "writer") {
        if (this.failure !== undefined) throw writesFailed(this.failure);
        const left = deadline - clock.now();
        if (left <= 0) throw stillClaiming(log.name, commitTimeoutMs);
        await changed.pause(clock, left, closing);
        closing.throwIfAborted();
      }
    } catch (error) {
      await this.#wish(undefined);
      throw error;
    } finally {
      this.#candidate.answered();
    }
  }

  /** Before the present writer makes way for this node. */
  async #assertRoom(): Promise<void> {
    const { options, closing } = this.#state;
    try {
      await this.#roles.assertRoom();
    } catch (error) {
      closing.throwIfAborted();
      if (this.failure !== undefined) throw writesFailed(this.failure);
      throw noRoom(options.log.name, asKayaError(error, "become the writer"));
    }
  }

  /** Asks through the log for a node as the writer: the present writer makes way. If the call fails, this node claims all the same. */
  async #wish(nodeId: string | undefined): Promise<void> {
    const { options, closing } = this.#state;
    const { log, clock, presenceMs } = options;
    try {
      await within(clock, presenceMs, (call) => log.want(nodeId, { signal: call }), closing);
    } catch (error) {
      if (!closing.aborted) this.#state.trouble(error);
    }
  }

  /** Ends writing here once the writes under way have settled. Other nodes come first to take over. */
  async stepDown(): Promise<void> {
    if (this.role === "writer") await this.#roles.stepDown();
  }

  /** Finishes the writes under way, ends the presence, and closes the engine. A second call returns the same promise. */
  close(): Promise<void> {
    this.#closed ??= keepAlive(this.clock, this.#close());
    return this.#closed;
  }

  async #close(): Promise<void> {
    const state = this.#state;
    state.close(new KayaError("KAYA_CLOSED", "the engine is closed: open it again"));
    await this.#roles.finished();
    await this.#presence.end();
    try {
      await this.engine.close();
    } finally {
      state.setRole("closed");
      await state.options.log.close();
    }
  }

  /** Closes after `start` has failed: the log stays open, and no event is sent. */
  async abandon(): Promise<void> {
    this.#state.close();
    await this.#roles.finished();
    await this.#presence.end();
    await this.engine.close().catch(() => undefined); // the first error counts
  }
}
