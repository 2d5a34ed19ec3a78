import type { ClusterClock } from "../clock.js";
import type { LogBase, LogEntry, LogHead, Members, SharedLog } from "../shared-log.js";
import { SimLogClient } from "./sim-client.js";
import { SimClock } from "./sim-clock.js";
import type { SimCall, SimCallKind, SimFaultPlan, SimPartition } from "./sim-faults.js";
import { SimNetwork } from "./sim-network.js";
import { SimState } from "./sim-state.js";

/** The settings of a `SimLog`. */
export interface SimLogOptions {
  /** The name of the log in messages. Default `"sim"`. */
  readonly name?: string;
  /** The clock for presences and delays. Default: a new `SimClock`, which only the test moves. */
  readonly clock?: ClusterClock;
  /** The largest size of an entry in bytes. Default 1 MiB. */
  readonly maxEntryBytes?: number;
  /** The duration of each request, and of each reply, in milliseconds. Default 0: a call without a fault needs no time. */
  readonly latencyMs?: number;
  /** Time after which a call without an answer rejects, in milliseconds. Default 1,000. */
  readonly timeoutMs?: number;
  /** The fault plan: it is called at each call. It can be replaced at any time: `log.faults`. */
  readonly faults?: SimFaultPlan;
}

/**
 * A shared log in memory, for tests. It has any number of clients, and can inject the faults of a network, a machine or an operator. It is
 * deterministic: the same calls with the same faults on a `SimClock` give the same answers in the same order.
 */
export class SimLog {
  /** The name of the log in messages. */
  readonly name: string;
  /** The clock for presences and delays. */
  readonly clock: ClusterClock;
  /** The largest size of an entry in bytes. */
  readonly maxEntryBytes: number;
  /** The fault plan: it is called at each call. */
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
   * Connects a node to the log.
   * @param name the name of the node, for fault plans and partitions
   */
  client(name: string): SharedLog {
    return new SimLogClient(this, this.#state, name);
  }

  /** The head that the majority has. Reading it is not a call. */
  get head(): LogHead | undefined {
    return this.#state.head;
  }

  /** The base that the majority has. Reading it is not a call. */
  get base(): LogBase | undefined {
    return this.#state.base;
  }

  /** The entries that were not trimmed, oldest first. */
  get entries(): readonly LogEntry[] {
    return this.#state.entries;
  }

  /** All entries that were ever appended, oldest first. Each acknowledged write must be in one of them. */
  get history(): readonly LogEntry[] {
    return this.#state.history;
  }

  /** The present nodes. Reading them is not a call. */
  get members(): Members {
    return this.#state.members;
  }

  /** The number of calls so far, including pages of `follow`. */
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

  /** Partitions a client from the log until `heal`. The replies to its pending calls are lost. */
  partition(client: string, how: SimPartition = "drop"): void {
    this.#network.partition(client, how);
  }

  /** Ends the partition of a client. */
  heal(client: string): void {
    this.#network.heal(client);
    for (const listener of this.#healed.get(client) ?? []) listener();
  }

  /** Pauses a client, like SIGSTOP: until `resume`, its calls are neither sent nor answered. Requests that were already sent are done. */
  pause(client: string): void {
    this.#network.pause(client);
  }

  /** Ends the pause of a client. */
  resume(client: string): void {
    this.#network.resume(client);
  }

  /** Stops the majority: no call is answered until `restoreMajority`. */
  loseMajority(): void {
    this.#network.loseMajority();
  }

  /**
   * Brings the majority back after `loseMajority`.
   * @param pending the fate of requests that were sent in the meantime. `"done"`: they are done now, also if their callers gave up.
   *   `"dropped"`: they are lost
   */
  restoreMajority(pending: "done" | "dropped" = "done"): void {
    this.#network.restoreMajority(pending);
  }

  /** Ends a node's presence, as if it had expired. */
  losePresence(nodeId: string): void {
    this.#state.endPresence(nodeId);
  }

  /** Removes entries without any check, as an operator or a broken program could. */
  trimForced(through: number): void {
    this.#state.trimForced(through);
  }

  /** @internal Performs one call of a client. */
  exchange<T>(client: string, kind: SimCallKind, isWrite: boolean, perform: () => T): Promise<T> {
    const key = `${kind} ${client}`;
    const nth = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, nth);
    const call: SimCall = { client, kind, number: ++this.#calls, nth };
    return this.#network.exchange({ call, fault: this.faults?.(call), isWrite, perform });
  }

  /** @internal Adds a listener for the end of a client's partition. @returns a function that removes it */
  onHealed(client: string, listener: () => void): () => void {
    const listeners = this.#healed.get(client) ?? new Set();
    this.#healed.set(client, listeners.add(listener));
    return () => listeners.delete(listener);
  }
}
