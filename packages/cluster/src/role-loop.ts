import { asKayaError } from "@kaya/core";
import type { BaseKeeper } from "./base-keeper.js";
import type { Candidate } from "./candidate.js";
import { claimLog } from "./claim.js";
import { assertNotAhead, isFinal } from "./follower.js";
import { Following } from "./following.js";
import { Leading } from "./leading.js";
import type { NodeState } from "./node-state.js";
import type { PresenceKeeper } from "./presence.js";
import type { LogBase, LogHead } from "./shared-log.js";
import { Wake } from "./wake.js";
import { within } from "./within.js";

/**
 * The roles of a node, one after the other: it follows until it is elected, claims the log, replays to the head that its claim made, and leads. Each role ends its
 * calls before the next begins. C6: the node accepts writes only after the replay.
 */
export class RoleLoop {
  readonly #state: NodeState;
  readonly #candidate: Candidate;
  readonly #presence: PresenceKeeper;
  readonly #following: Following;
  readonly #membersChanged = new Wake();
  #running: Promise<void> | undefined;
  /** Undefined while the node is not the writer. */
  #leading: Leading | undefined;
  /** The keeper of this node's newest epoch as the writer. */
  #keeper: BaseKeeper | undefined;
  /** Settles when that epoch has ended. */
  #led: Promise<void> = Promise.resolve();
  /** This directory has refused records: the node looks whether it takes writes before it claims. */
  #mustHaveRoom = false;

  constructor(state: NodeState, candidate: Candidate, presence: PresenceKeeper) {
    this.#state = state;
    this.#candidate = candidate;
    this.#presence = presence;
    this.#following = new Following(state);
    state.onHead = (head) => this.#leading?.observe(head);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the node has closed or failed, and no call of a role is under way any more. */
  async finished(): Promise<void> {
    await this.#running;
  }

  /** Other nodes came or went, or a node is wanted as the writer. */
  membersChanged(): void {
    this.#candidate.wake();
    this.#membersChanged.wake();
  }

  /** Ends writing here once the writes under way have settled. Other nodes come first to take over. */
  async stepDown(): Promise<void> {
    this.#candidate.yield();
    this.#leading?.stop();
    await this.#led.catch(() => undefined); // `#run` handles the error
  }

  /** If this directory has refused records, looks whether it takes writes now. @throws KayaError as `Replica.assertRoom` */
  async assertRoom(): Promise<void> {
    if (!this.#mustHaveRoom) return;
    const state = this.#state;
    try {
      await state.replica.assertRoom();
      this.#mustHaveRoom = false;
      state.noRoom = undefined;
    } catch (error) {
      state.noRoom = asKayaError(error, "look whether this node can write");
      throw error;
    }
  }

  /** Bytes of records in the shared log; 0 if the node is not the writer. */
  get tailBytes(): number {
    return this.#leading?.keeper.tailBytes ?? 0;
  }

  /** The newest base that this node has seen as the writer. */
  get base(): LogBase | undefined {
    return this.#keeper?.base;
  }

  /** It never rejects. */
  async #run(): Promise<void> {
    const state = this.#state;
    let { claimed } = state.options;
    try {
      while (!state.ended.aborted) {
        if (claimed === undefined) await this.#follow();
        if (state.ended.aborted) break;
        if (!(await this.#hasRoom())) continue;
        const head: LogHead | undefined = await this.#becomeWriter(claimed);
        claimed = undefined;
        if (head !== undefined) await this.#lead(head);
        if (state.failure !== undefined) throw state.failure;
      }
    } catch (error) {
      state.fail(asKayaError(error, "work as a node of a cluster"));
    }
  }

  /** Follows until this node should become the writer. */
  async #follow(): Promise<void> {
    const state = this.#state;
    state.toldRole = "follower";
    state.setRole("follower");
    void this.#presence.tell();
    const stop = new AbortController();
    const end = () => stop.abort();
    state.ended.addEventListener("abort", end, { once: true });
    const following = this.#following.run(stop.signal);
    try {
      await Promise.race([this.#candidate.untilElected(stop.signal), following]);
    } finally {
      state.ended.removeEventListener("abort", end);
      stop.abort();
      await following;
    }
  }

  /**
   * Whether this node may claim. Without this look a node without room would claim an epoch, refuse the first write, make way, and claim again.
   * @throws KayaError the error with which the node fails
   */
  async #hasRoom(): Promise<boolean> {
    const state = this.#state;
    try {
      await this.assertRoom();
      return true;
    } catch (cause) {
      const error = asKayaError(cause, "look whether this node can write");
      if (state.failure !== undefined || isFinal(error)) throw error;
      if (state.ended.aborted) return false;
      state.ownTrouble(error);
      this.#candidate.rest();
      await this.#withdraw();
      return false;
    }
  }

  /** Withdraws a request for this node, which it cannot fulfil: for as long as it stands the present writer makes way again and again. */
  async #withdraw(): Promise<void> {
    const { options, ended } = this.#state;
    const { log, clock, presenceMs } = options;
    if (!this.#candidate.isWanted) return;
    try {
      await within(clock, presenceMs, (call) => log.want(undefined, { signal: call }), ended);
    } catch (error) {
      if (!ended.aborted) this.#state.trouble(error); // the next look finds the request again
    }
  }

  /**
   * C6: claims, and replays to the head that the claim made.
   * @returns that head; undefined if this node does not become the writer
   */
  async #becomeWriter(claimed: LogHead | undefined): Promise<LogHead | undefined> {
    const state = this.#state;
    const before = state.known.head;
    state.toldRole = "writer";
    state.setRole("claiming");
    await this.#presence.tell();
    try {
      const head = claimed ?? (await this.#claim());
      if (head === undefined) return undefined;
      state.known.saw(head);
      const replayed = await this.#following.replay(head, state.ended);
      // Nobody takes over from a node that is becoming the writer: it lets others try.
      if (replayed === "stuck") this.#makeWay(state.stuck !== undefined);
      if (replayed !== "level") return undefined;
      await state.entering(head.epoch);
      // Another node claimed the log meanwhile: this head would not be seen again as newer.
      if (state.known.epoch > head.epoch) return undefined;
      state.counters.claims++;
      if (before !== undefined && before.writer !== state.options.nodeId) state.counters.takeovers++;
      return head;
    } catch (cause) {
      if (state.ended.aborted) return undefined;
      const error = asKayaError(cause, "become the writer");
      if (isFinal(error)) throw error;
      state.ownTrouble(error); // only steps on the own disk reject
      this.#makeWay(true);
      return undefined;
    }
  }

  /** Other nodes come first to become the writer. @param isRefused this directory has refused records */
  #makeWay(isRefused: boolean): void {
    this.#mustHaveRoom ||= isRefused;
    this.#candidate.yield();
  }

  async #claim(): Promise<LogHead | undefined> {
    const state = this.#state;
    const { log, clock, nodeId, address, commitTimeoutMs, logId } = state.options;
    const { lsn, sequence } = state.replica.position;
    const seen = state.known.head;
    const { isAsked } = this.#candidate;
    const head = await claimLog({
      log,
      clock,
      claim: { writer: nodeId, address, origin: { logId, lsn, sequence } },
      timeoutMs: commitTimeoutMs,
      reading: () => state.known.reading(),
      // A node that claimed the log since this one was elected is the writer.
      mayClaim: (head) => {
        if (head === undefined) return false;
        assertNotAhead(log.name, state.replica, head);
        return head.epoch === (seen?.epoch ?? head.epoch) || head.writer === nodeId;
      },
      isAsked,
      onTrouble: (error) => state.trouble(error),
      signal: state.ended,
    });
    // The node follows for a while before it tries again.
    if (head === undefined && !isAsked) this.#candidate.yield();
    return head;
  }

  /** Leads until this node is no longer the writer. */
  async #lead(head: LogHead): Promise<void> {
    const state = this.#state;
    const { ended } = state;
    if (ended.aborted) return;
    const leading = new Leading({
      ...state.options,
      head,
      replica: state.replica,
      known: state.known,
      counters: state.counters,
      membersChanged: this.#membersChanged,
      message: () => state.message(),
      untilApplied: (lsn, signal) => state.untilApplied(lsn, signal),
      trouble: (error) => state.trouble(error),
      ended: () => state.setRole("follower"),
      yielded: () => this.#candidate.yield(),
      refusedHere: (error) => {
        state.ownTrouble(error);
        this.#mustHaveRoom = true;
      },
    });
    const end = () => leading.stop();
    ended.addEventListener("abort", end, { once: true });
    this.#leading = leading;
    this.#keeper = leading.keeper;
    state.setRole("writer");
    state.progressed();
    this.#candidate.answered();
    this.#led = leading.run();
    try {
      await this.#led;
    } finally {
      ended.removeEventListener("abort", end);
      this.#leading = undefined;
    }
  }
}
