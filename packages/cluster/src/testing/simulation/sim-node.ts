import { KayaError, type Lsn, type PartialEngineConfig } from "@kaya/core";
import { type Disk, SimDisk } from "@kaya/io";
import type { BlobStore } from "../../blob-store.js";
import { ClusterEngine } from "../../cluster-engine.js";
import type { OpenClusterOptions } from "../../open-node.js";
import type { SimClock } from "../sim-clock.js";
import type { SimLog } from "../sim-log.js";
import { NodeClock } from "./node-clock.js";
import { ClusterRuleBroken, mustHold } from "./violation.js";

/** The parts of a simulated cluster that all nodes share. */
export interface NodeWorld {
  readonly seed: number;
  readonly clock: SimClock;
  readonly log: SimLog;
  /** Connects a process to the store of the bases. */
  readonly storeOf: (client: string, process: NodeClock) => BlobStore;
  readonly engine: PartialEngineConfig;
  readonly tailMaxBytes: number;
}

/** Errors of an opening that the injected faults explain. */
const TRANSIENT = [
  "KAYA_NO_MAJORITY",
  "KAYA_NOT_FOUND",
  "KAYA_CLOSED",
  "KAYA_DISK_FULL",
  "KAYA_IO",
  "KAYA_FSYNC_FAILED",
  "KAYA_WRITER_FAILED",
  "KAYA_LOG_TRUNCATED",
];

/** One machine: a disk, and the process on it. The process can die and be started again. */
export class SimNode {
  readonly id: string;
  disk: SimDisk;
  /** The number of the current process. Answers to calls of earlier processes are ignored. */
  life = 0;
  readonly #world: NodeWorld;
  readonly #index: number;
  #db: ClusterEngine | undefined;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #clock: NodeClock;
  #highest: Lsn = 0;
  /** The operation of the disk at which a fault strikes or has struck: it explains why the node fails. */
  #faultAt: number | undefined;
  #seeds = 0;
  /** Called when the process dies. */
  onDeath: () => void = () => undefined;
  /** The error of an opening that no injected fault explains. */
  failure: ClusterRuleBroken | undefined;

  constructor(world: NodeWorld, index: number) {
    this.#world = world;
    this.#index = index;
    this.id = `n${index}`;
    this.#clock = new NodeClock(world.clock);
    this.disk = this.#newDisk();
  }

  /** The name of its process as a client of the shared log. */
  get client(): string {
    return `${this.id}.${this.life}`;
  }

  /** The node, if it can be called now. */
  get db(): ClusterEngine | undefined {
    return this.#clock.isStopped || this.#closing !== undefined ? undefined : this.#db;
  }

  get isStopped(): boolean {
    return this.#clock.isStopped;
  }

  get isDown(): boolean {
    return this.#db === undefined && this.#opening === undefined;
  }

  /** The disk meets a fault at the operation that follows `after` others. */
  breakDisk(kind: "disk-full" | "io-error" | "fsync-failed", after: number): void {
    this.#faultAt = this.disk.nextOperation + after;
    this.disk.addFault({ at: this.#faultAt, kind });
  }

  /** @throws ClusterRuleBroken if the node failed for no reason on its own machine. Faults of others only make it wait. */
  mustBeFine(): void {
    if (this.failure !== undefined) throw this.failure;
    const db = this.#db;
    mustHold(db?.role !== "failed" || this.#faultAt !== undefined, "failed", () => {
      return `${this.id} failed, but its disk works: ${db?.failure?.stack ?? "without a reason"}`;
    });
  }

  /** Resolves when no opening and no closing is under way. */
  async settled(): Promise<void> {
    await this.#opening;
    await this.#closing;
  }

  /** The last LSN that can be read on it. It must never go back during the life of a process. */
  lsnOf(db: ClusterEngine): Lsn {
    const { lsn } = db;
    if (db !== this.#db) return lsn;
    mustHold(
      lsn >= this.#highest,
      "backwards",
      () => `${this.id} had LSN ${this.#highest}, and now has ${lsn}`,
    );
    this.#highest = lsn;
    return lsn;
  }

  open(): void {
    if (!this.isDown) return;
    this.life++;
    this.#highest = 0;
    if (this.#faultAt !== undefined && this.#faultAt < this.disk.nextOperation) this.#faultAt = undefined;
    const { life } = this;
    this.#clock = new NodeClock(this.#world.clock);
    this.#opening = this.#open(this.disk.session(), this.#clock).then(
      (db) => {
        if (life === this.life) this.#db = db;
      },
      (error: unknown) => {
        if (life === this.life) this.#note(error);
      },
    );
    void this.#opening.then(() => {
      if (life === this.life) this.#opening = undefined;
    });
  }

  /** Closes the node, as a program does at its end. */
  close(): void {
    const db = this.#db;
    if (db === undefined || this.#closing !== undefined || this.isStopped) return;
    const { life } = this;
    this.#closing = db
      .close()
      .catch((error: unknown) => this.#note(error))
      .then(() => {
        if (life !== this.life) return;
        this.#db = undefined;
        this.#closing = undefined;
      });
  }

  /** Ends the process. `kill`: SIGKILL. `crash`: the machine loses its power. `wipe`: it also loses its disk. */
  die(how: "kill" | "crash" | "wipe"): void {
    this.#world.log.pause(this.client); // it sends and receives nothing from now on
    this.#clock.stop();
    this.life++;
    this.#db = undefined;
    this.#opening = undefined;
    this.#closing = undefined;
    if (how === "kill") this.disk.killProcess();
    else this.disk.crash({ survive: "random" });
    if (how === "wipe") this.disk = this.#newDisk();
    this.onDeath();
  }

  /** Stops the process (SIGSTOP). */
  stop(): void {
    if (this.isDown) return;
    this.#clock.stop();
    this.#world.log.pause(this.client);
  }

  /** Continues the process (SIGCONT). */
  goOn(): void {
    if (this.isDown) return;
    this.#clock.goOn();
    this.#world.log.resume(this.client);
  }

  #newDisk(): SimDisk {
    this.#faultAt = undefined;
    return new SimDisk({ seed: this.#world.seed * 16 + this.#index });
  }

  #open(disk: Disk, timers: NodeClock): Promise<ClusterEngine> {
    const { seed, log, storeOf, engine, tailMaxBytes, clock } = this.#world;
    const given: OpenClusterOptions = {
      timers,
      clock: { wall: () => 1_000_000 + clock.now(), elapsed: () => clock.now() },
      hashSecret: { low: 1, high: 2 },
      newLogId: () => (seed * 16 + this.#index + 1).toString(16).padStart(16, "0"),
      randomSeed: () => this.#nextSeed(),
    };
    const options = {
      ...engine,
      log: log.client(this.client),
      nodeId: this.id,
      address: `http://${this.id}`,
      blobStore: storeOf(this.client, timers),
      tailMaxBytes,
      commitTimeoutMs: 3_000,
      presenceMs: 1_000,
    };
    return ClusterEngine.open(options, disk, given);
  }

  #note(error: unknown): void {
    if (TRANSIENT.some((code) => KayaError.is(error) && error.code === code)) return;
    const message = error instanceof Error ? `${error.stack}` : `${error}`;
    this.failure ??= new ClusterRuleBroken(
      "wrong-refusal",
      `${this.id} cannot be opened or closed: ${message}`,
    );
  }

  /** Random bytes that are different each time: they distinguish tables from each other. */
  #nextSeed(): Uint8Array {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, ++this.#seeds);
    view.setUint32(4, this.#index);
    view.setUint32(8, this.life);
    return bytes;
  }
}
