import { describe, type KayaError, type LogPosition } from "@kaya/core";
import { type Engine, REPLICATION, type Replication } from "../engine.js";
import { invalid } from "../input.js";
import type { Replica, ReplicaBatch, ReplicaEntry } from "./replica.js";
import type { ReplicaRole } from "./replica-role.js";

/** Implements a replica with an engine. */
export class EngineReplica implements Replica {
  readonly engine: Engine;
  readonly #role: ReplicaRole;
  readonly #engine: Replication;
  #appending = 0;

  constructor(engine: Engine, role: ReplicaRole) {
    this.engine = engine;
    this.#role = role;
    this.#engine = engine[REPLICATION]();
  }

  get position(): LogPosition {
    return this.#engine.applied.position;
  }

  get isLeading(): boolean {
    return this.#role.isLeading;
  }

  async append(entry: ReplicaEntry): Promise<void> {
    if (this.#role.isLeading) throw invalid("nothing was appended: the replica leads. Call `follow` first.");
    if (this.#role.isStopping) throw invalid("nothing was appended: await `follow` first");
    this.#appending++;
    try {
      await this.#engine.wal.appendReplicated(entry);
    } finally {
      this.#appending--;
    }
  }

  lead(commit: (batch: ReplicaBatch) => Promise<void>, refusedHere?: (error: KayaError) => void): void {
    if (typeof commit !== "function") throw invalid(`commit must be a function, not ${describe(commit)}`);
    if (refusedHere !== undefined && typeof refusedHere !== "function")
      throw invalid(`refusedHere must be a function, not ${describe(refusedHere)}`);
    if (this.#role.isLeading) throw invalid("the replica leads already");
    if (this.#role.isStopping) throw invalid("await `follow` before the replica leads again");
    if (this.#appending > 0) throw invalid("await `append` before the replica leads");
    this.#engine.assertOpen();
    this.#engine.wal.assertWorking();
    this.#role.lead(commit, refusedHere);
    this.#engine.resumeIndexes();
  }

  async follow(): Promise<void> {
    const { wal, interrupt } = this.#engine;
    if (this.#role.isLeading) {
      this.#role.stop();
      interrupt(this.#role.refusal());
    }
    await wal.idle();
    this.#role.stopped();
  }

  async assertRoom(): Promise<void> {
    await this.engine.flush();
    await this.#engine.wal.prepare();
  }

  onApplied(call: () => void): () => void {
    return this.#engine.wal.onProgress(call);
  }

  onFailure(call: () => void): () => void {
    return this.#engine.wal.onFailure(call);
  }
}
