import { KayaError } from "@kaya/core";
import type { ClusterClock } from "../clock.js";
import type { SimCall, SimDelay, SimFault, SimPartition } from "./sim-faults.js";
import { limitOf, never, travel } from "./sim-travel.js";

/** The effect of a call on the log, and the limits of its caller. */
export interface SimRequest<T> {
  readonly call: SimCall;
  readonly fault: SimFault | undefined;
  /** True: the call is in doubt if it gets no answer. */
  readonly isWrite: boolean;
  readonly perform: () => T;
}

interface Gate {
  readonly opened: Promise<void>;
  readonly open: () => void;
}

/** The network between the nodes and the majority, with all injected faults. */
export class SimNetwork {
  readonly #name: string;
  readonly #clock: ClusterClock;
  readonly #latencyMs: number;
  readonly #timeoutMs: number;
  readonly #partitions = new Map<string, SimPartition>();
  readonly #paused = new Map<string, Gate>();
  #majority: Gate | undefined;
  #hasDroppedPending = false;

  constructor(name: string, clock: ClusterClock, latencyMs: number, timeoutMs: number) {
    this.#name = name;
    this.#clock = clock;
    this.#latencyMs = latencyMs;
    this.#timeoutMs = timeoutMs;
  }

  partition(client: string, how: SimPartition): void {
    this.#partitions.set(client, how);
  }

  heal(client: string): void {
    this.#partitions.delete(client);
  }

  pause(client: string): void {
    if (!this.#paused.has(client)) this.#paused.set(client, gate());
  }

  resume(client: string): void {
    this.#paused.get(client)?.open();
    this.#paused.delete(client);
  }

  loseMajority(): void {
    this.#majority ??= gate();
  }

  restoreMajority(pending: "done" | "dropped"): void {
    this.#hasDroppedPending = pending === "dropped";
    this.#majority?.open();
    this.#majority = undefined;
  }

  /** Sends one request, and returns its reply. Without an answer it rejects at the end of the time limit. */
  async exchange<T>(request: SimRequest<T>): Promise<T> {
    const { call, fault } = request;
    await this.#running(call.client);
    this.#refuseAtOnce(request);
    const limit = new AbortController();
    const timeout = this.#clock.sleep(limitOf(fault, this.#timeoutMs), limit.signal);
    try {
      return await Promise.race([this.#deliver(request), timeout.then(() => this.#giveUp(request))]);
    } finally {
      limit.abort();
    }
  }

  async #deliver<T>(request: SimRequest<T>): Promise<T> {
    const { call, fault, perform } = request;
    if (fault?.kind === "requestLost" || this.#partitions.get(call.client) === "drop") return never();
    await this.#wait(fault?.kind === "delay" ? fault.request : undefined);
    if (!(await this.#reachesMajority())) return never();
    const answer = attempt(perform);
    if (fault?.kind === "replyLost" || this.#partitions.has(call.client)) return never();
    await this.#wait(fault?.kind === "delay" ? fault.reply : undefined);
    await this.#running(call.client);
    return answer();
  }

  #refuseAtOnce({ call, fault }: SimRequest<unknown>): void {
    const isRefused = this.#partitions.get(call.client) === "refuse";
    if (fault?.kind === "noMajority" || isRefused)
      throw this.#error("KAYA_NO_MAJORITY", `${call.kind}: no machine could be reached. Nothing was done`);
    if (fault?.kind === "diskFull")
      throw this.#error("KAYA_DISK_FULL", `${call.kind}: no space is left. Nothing was done`);
    if (fault?.kind === "refused")
      throw this.#error("KAYA_IO", `${call.kind}: the password was refused. Nothing was done`);
  }

  async #giveUp({ call, isWrite }: SimRequest<unknown>): Promise<never> {
    await this.#running(call.client);
    if (isWrite)
      throw this.#error(
        "KAYA_IN_DOUBT",
        `${call.kind}: no answer came. It may have been done, or may be done later`,
      );
    throw this.#error("KAYA_NO_MAJORITY", `${call.kind}: no answer came in time`);
  }

  // A request that waits for the majority is either done when the majority is back, or lost with the machine that had it.
  async #reachesMajority(): Promise<boolean> {
    let hasWaited = false;
    while (this.#majority !== undefined) {
      hasWaited = true;
      await this.#majority.opened;
    }
    return !(hasWaited && this.#hasDroppedPending);
  }

  async #running(client: string): Promise<void> {
    for (let paused = this.#paused.get(client); paused !== undefined; paused = this.#paused.get(client))
      await paused.opened;
  }

  #wait(extra: SimDelay | undefined): Promise<void> {
    return travel(this.#clock, this.#latencyMs, extra);
  }

  #error(
    code: "KAYA_NO_MAJORITY" | "KAYA_DISK_FULL" | "KAYA_IO" | "KAYA_IN_DOUBT",
    found: string,
  ): KayaError {
    return new KayaError(code, `${this.#name}: ${found}`);
  }
}

function gate(): Gate {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

// Performs a request. Its answer, a result or an error, still has to travel back.
function attempt<T>(perform: () => T): () => T {
  try {
    const value = perform();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
