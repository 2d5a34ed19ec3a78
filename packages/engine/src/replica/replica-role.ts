import type { KayaError } from "@kaya/core";
import type { CommitTo } from "@kaya/wal";
import { invalid } from "../input.js";
import type { ReplicaBatch, ReplicaOptions } from "./replica.js";

type Commit = (batch: ReplicaBatch) => Promise<void>;
type RefusedHere = (error: KayaError) => void;

/** The role of a replica: whether it accepts writes, and the `commit` function of its batches. */
export class ReplicaRole {
  readonly #refusal: () => KayaError;
  readonly #maxBatchBytes: number;
  #commit: Commit | undefined;
  #refusedHere: RefusedHere | undefined;
  #isLeading = false;

  constructor({ refusal, maxBatchBytes }: Pick<ReplicaOptions, "refusal" | "maxBatchBytes">) {
    this.#refusal = refusal;
    this.#maxBatchBytes = maxBatchBytes;
  }

  get isLeading(): boolean {
    return this.#isLeading;
  }

  /** True if it has stopped leading, but writes are still under way. */
  get isStopping(): boolean {
    return this.#commit !== undefined && !this.#isLeading;
  }

  get maxBatchBytes(): number {
    return this.#maxBatchBytes;
  }

  /** The commit function for the writer of the local log. */
  get commitTo(): CommitTo {
    return {
      maxBatchBytes: this.#maxBatchBytes,
      refusal: () => (this.#isLeading ? undefined : this.#refusal()),
      commit: async (batch) => {
        if (this.#commit === undefined) throw this.#refusal();
        await this.#commit(batch);
      },
      refusedHere: (error) => this.refusedHere(error),
    };
  }

  /** This directory cannot take writes now: they are refused before they are handed over. */
  refusedHere(error: KayaError): void {
    if (this.#isLeading) this.#refusedHere?.(error);
  }

  /** The error of writes while the replica follows. */
  refusal(): KayaError {
    return this.#refusal();
  }

  /** @throws KayaError as `refusal` while it follows */
  assertLeads(): void {
    if (!this.#isLeading) throw this.#refusal();
  }

  lead(commit: Commit, refusedHere: RefusedHere | undefined): void {
    this.#commit = commit;
    this.#refusedHere = refusedHere;
    this.#isLeading = true;
  }

  /** Accepts no more writes. Writes that already have an LSN are still committed. */
  stop(): void {
    this.#isLeading = false;
  }

  /** Call it when no write is under way any more. */
  stopped(): void {
    if (!this.#isLeading) this.#commit = undefined;
  }
}

/** @throws KayaError KAYA_INVALID_ARGUMENT always */
export function refuseSynchronous(): never {
  throw invalid(
    "nothing was written: this engine is a replica, and a write that returns at once cannot wait for the shared log. Use the method without `Sync`.",
  );
}
