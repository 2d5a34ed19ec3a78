import type { ClusterClock } from "../clock.js";
import type { LogBase, LogEntry, LogHead, Members, SharedLog } from "../shared-log.js";
import { SimLogClient } from "./sim-client.js";
import { SimClock } from "./sim-clock.js";
import type { SimCall, SimCallKind, SimFaultPlan, SimPartition } from "./sim-faults.js";
import { SimNetwork } from "./sim-network.js";
import { SimState } from "./sim-state.js";

/** Settings of a `SimLog`. */
export interface SimLogOptions {
  /** For messages. Default `"sim"`. */
  readonly name?: string;
  /** Presences run out in it, and delays pass in it. Default: a new `SimClock`, which only the test moves. */
  readonly clock?: ClusterClock;
  /** The most bytes that an entry may have. Default 1 MiB. */
  readonly maxEntryBytes?: number;
  /** Milliseconds that each request takes, and each reply. Default 0: a call without a fault needs no time. */
  readonly latencyMs?: number;
  /** Milliseconds after which a call without an answer rejects. Default 1,000. */
  readonly timeoutMs?: number;
  /** Asked at each call: what goes wrong with it. It may be replaced at any time: `log.faults`. */
  readonly faults?: SimFaultPlan;
}

/**
 * A shared log in memory, for tests. It has any number of clients, and can simulate each fault that a network, a machine or an operator can cause. It is deterministic: the same calls with the same faults on a `SimClock` give the same answers in the same order.
 */
export class SimLog {
  /** The name of the log in messages. */
  readonly name: string;
  /** Presences run out in it. */
  readonly clock: ClusterClock;
  /** The most bytes that an entry may have. */
  readonly maxEntryBytes: number;
  /** Asked at each call: what goes wrong with it. */
  faults: SimFaultPlan | undefined;
  readonly #state: SimState;
  readonly #network: SimNetwork;
  readonly #healed = new Map<string, Set<() => void>>();
  readonly #counts = new Map<string, number>();
  #calls = 0;

  /** @param options clock, limits and faults */
  constructor(options: SimLogOptions = {}) {
    this.name = options.name ?? "sim";
    this.clock = options.clock ?? new SimClock();
    this.maxEntryBytes = options.maxEntryBytes ?? 1024 * 1024;
    this.faults = options.faults;
    this.#state = new SimState(this.name, this.clock);
    this.#network = new SimNetwork(this.name, this.clock, options.latencyMs ?? 0, options.timeoutMs ?? 1000);
  }

  /**
   * The log as one node sees it.
   * @param name of the node: faults are put in under it
   */
  client(name: string): SharedLog {
    return new SimLogClient(this, this.#state, name);
  }

  /** The head as the majority has it, without a call. */
  get head(): LogHead | undefined {
    return this.#state.head;
  }

  /** The base as the majority has it, without a call. */
  get base(): LogBase | undefined {
    return this.#state.base;
  }

  /** Entries that were not trimmed, oldest first. */
  get entries(): readonly LogEntry[] {
    return this.#state.entries;
  }

  /** Every entry that was ever appended, oldest first. Each acknowledged write must be in it. */
  get history(): readonly LogEntry[] {
    return this.#state.history;
  }

  /** The present nodes, without a call. */
  get members(): Members {
    return this.#state.members;
  }

  /** How many calls were made, pages of `follow` included. */
  get calls(): number {
    return this.#calls;
  }

  /** True: there is no room, and all writes except trims are refused. */
  get isFull(): boolean {
    return this.#state.isFull;
  }

  set isFull(isFull: boolean) {
    this.#state.isFull = isFull;
  }

  /** Cuts a client off, until `heal`. Replies to its calls under way are lost. */
  partition(client: string, how: SimPartition = "drop"): void {
    this.#network.partition(client, how);
  }

  /** Ends a client's partition. */
  heal(client: string): void {
    this.#network.heal(client);
    for (const listener of this.#healed.get(client) ?? []) listener();
  }

  /** As SIGSTOP: the client's calls neither leave nor return until `resume`. What has left is done. */
  pause(client: string): void {
    this.#network.pause(client);
  }

  /** Ends a pause. */
  resume(client: string): void {
    this.#network.resume(client);
  }

  /** No majority lives any more: nothing is answered until `restoreMajority`. */
  loseMajority(): void {
    this.#network.loseMajority();
  }

  /**
   * Brings the majority back after `loseMajority`.
   * @param pending what becomes of requests that came meanwhile. `"done"`: they are done now, also those whose callers gave up. `"dropped"`: they are lost
   */
  restoreMajority(pending: "done" | "dropped" = "done"): void {
    this.#network.restoreMajority(pending);
  }

  /** Ends a node's presence, as if it had run out. */
  losePresence(nodeId: string): void {
    this.#state.endPresence(nodeId);
  }

  /** Removes entries without any check, as an operator or a broken program could. */
  trimForced(through: number): void {
    this.#state.trimForced(through);
  }

  /** @internal One call of a client. */
  exchange<T>(client: string, kind: SimCallKind, isWrite: boolean, perform: () => T): Promise<T> {
    const key = `${kind} ${client}`;
    const nth = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, nth);
    const call: SimCall = { client, kind, number: ++this.#calls, nth };
    return this.#network.exchange({ call, fault: this.faults?.(call), isWrite, perform });
  }

  /** @internal Calls back when a client's partition ends. @returns ends it */
  onHealed(client: string, listener: () => void): () => void {
    const listeners = this.#healed.get(client) ?? new Set();
    this.#healed.set(client, listeners.add(listener));
    return () => listeners.delete(listener);
  }
}
