import type { PartialEngineConfig } from "@kaya/core";
import type { KeyValue } from "@kaya/engine";
import { Random, SimDisk } from "@kaya/io";
import { directoryBlobStore } from "../../blob/directory-blob-store.js";
import type { BlobStore } from "../../blob-store.js";
import { readBase } from "../../shipment/base-object.js";
import { SimClock } from "../sim-clock.js";
import { SimLog } from "../sim-log.js";
import { Clients } from "./clients.js";
import { faultOf, NODES } from "./generate.js";
import { LogModel, textOf } from "./log-model.js";
import { type NodeWorld, SimNode } from "./sim-node.js";
import type { ClusterStep, InterruptStep, NodeStep, StruckCall, WorldCall } from "./steps.js";
import { StoreClient, type StoreFault } from "./store-client.js";
import { ClusterRuleBroken, mustHold } from "./violation.js";

const KiB = 1024;

/** Chooses the fault of a call, and may do anything else to the world. */
export type Strike = (call: WorldCall, world: ClusterWorld) => StoreFault | undefined;

/** Settings that a world does not draw from its seed. */
export interface WorldOptions {
  /** Injects the fault of a call, instead of the random faults. */
  readonly strike?: Strike;
  /** The bound of the shared log's tail in bytes. Default: drawn. */
  readonly tailMaxBytes?: number;
  /** The duration of a request to the blob store, and of its reply, in milliseconds. A call of the log needs 1. Default: drawn. */
  readonly storeLatencyMs?: number;
}

/** Three nodes, one shared log, their clients, and the faults between them. */
export class ClusterWorld {
  readonly clock = new SimClock({ idleTurns: 2 });
  readonly log: SimLog;
  /** The store of the bases, without faults. */
  readonly blobStore: BlobStore;
  readonly nodes: readonly SimNode[];
  readonly model: LogModel;
  /** The bound of the shared log's tail in bytes. */
  readonly tailMaxBytes: number;
  readonly clients: Clients;
  /** Tokens of change feeds, each with its node and the LSN that it has at least. */
  readonly tokens: { readonly token: string; readonly from: string; readonly lsn: number }[] = [];
  /** The number of injected faults, by kind: faults of calls, crashes and others. */
  readonly struck: Record<string, number> = {};
  readonly #seed: number;
  #armed: { readonly client: string | undefined; readonly faults: readonly StruckCall[] }[] = [];
  #interrupts: readonly InterruptStep[] = [];
  #percent = 0;
  /** True at the end of a run: all faults are over. */
  isCalm = false;
  readonly #pending = new Map<Promise<void>, { readonly node: SimNode; readonly life: number }>();
  failure: unknown;
  /** The number of calls of the log and of the blob store, by kind. */
  readonly calls: Record<string, number> = {};
  readonly #strike: Strike | undefined;
  #isStoreDown = false;
  #callCount = 0;

  constructor(seed: number, { strike, ...given }: WorldOptions = {}) {
    this.#seed = seed;
    this.#strike = strike;
    const { clock } = this;
    this.log = new SimLog({
      clock,
      maxEntryBytes: 2 * KiB,
      latencyMs: 1,
      timeoutMs: 1_000,
      faults: ({ client, kind }) => {
        const fault = this.#faultOf(client, kind);
        return fault?.kind === "damaged" ? undefined : fault;
      },
    });
    this.blobStore = directoryBlobStore(new SimDisk({ seed }));
    const random = new Random(seed, 2);
    const storeLatencyMs = given.storeLatencyMs ?? random.pick([0.4, 0.4, 1, 5, 40]);
    this.tailMaxBytes = given.tailMaxBytes ?? random.pick([8, 8, 64, 1024]) * KiB;
    const world: NodeWorld = {
      seed,
      clock,
      log: this.log,
      storeOf: (client, process) =>
        new StoreClient({
          store: this.blobStore,
          clock,
          process,
          latencyMs: storeLatencyMs,
          faultOf: (kind) => this.#faultOf(client, kind),
          removing: (name) => this.#removing(name, client),
        }),
      engine: engineOf(random),
      tailMaxBytes: this.tailMaxBytes,
    };
    this.nodes = Array.from({ length: NODES }, (_, index) => new SimNode(world, index));
    this.model = new LogModel(() => this.log.history);
    this.clients = new Clients(this.model, this.nodes);
  }

  /** Runs one step. */
  async run(step: ClusterStep): Promise<void> {
    switch (step.step) {
      case "advance":
        await this.clock.advance(step.ms);
        break;
      case "lose-majority":
        this.#count("no majority");
        this.log.loseMajority();
        break;
      case "restore-majority":
        this.log.restoreMajority(step.pending);
        break;
      case "full":
        this.log.isFull = step.isFull;
        break;
      case "store":
        if (step.isDown) this.#count("blob store down");
        this.#isStoreDown = step.isDown;
        break;
      case "weather":
        this.#percent = step.percent;
        break;
      case "fault":
        this.#armed.push({ client: undefined, faults: step.faults });
        break;
      case "interrupt":
        this.#interrupts = [...this.#interrupts, step];
        break;
      default:
        if ("key" in step || "keys" in step) this.clients.start(step);
        else this.#touch(this.nodes[step.node % NODES] as SimNode, step);
    }
    await this.clock.settle();
    this.mustBeFine();
  }

  /** @throws the first violation that was found */
  mustBeFine(): void {
    const found = this.failure ?? this.clients.failure;
    if (found !== undefined) throw found;
    for (const node of this.nodes) node.mustBeFine();
  }

  /** Ends all faults: stopped processes, partitions and a lost majority come back. */
  calm(): void {
    this.isCalm = true;
    this.log.isFull = false;
    this.log.restoreMajority("done");
    for (const node of this.nodes) {
      node.goOn();
      this.log.heal(node.client);
    }
  }

  /** The pending operations beside the clients, on processes that live. */
  get underWay(): readonly Promise<void>[] {
    return [...this.#pending].flatMap(([work, { node, life }]) => (node.life === life ? [work] : []));
  }

  /** Checks that a node has exactly the content of the shared log up to its LSN. */
  async compare(node: SimNode): Promise<void> {
    const { db, life } = node;
    if (db === undefined) return;
    const lsn = node.lsnOf(db);
    const snapshot = db.snapshot();
    let found: Map<string, string>;
    try {
      found = await stateOf(snapshot.scan());
    } catch (error) {
      if (node.life !== life || node.db !== db || db.state !== "open") return; // it died, or is loading a base
      throw error;
    } finally {
      snapshot.close();
    }
    const difference = differenceBetween(found, this.model.stateAt(lsn));
    mustHold(difference === undefined, "not-a-prefix", () => `${node.id} at LSN ${lsn} ${difference}`);
  }

  #touch(node: SimNode, step: NodeStep): void {
    const { db } = node;
    switch (step.step) {
      case "crash":
      case "kill":
      case "wipe":
        if (node.isDown) return;
        this.#count(step.step);
        node.die(step.step);
        return;
      case "close":
        node.close();
        return;
      case "open":
        if (db?.role === "failed") node.die("kill");
        node.open();
        return;
      case "stop":
        if (!node.isDown) this.#count("stop");
        node.stop();
        return;
      case "go-on":
        node.goOn();
        return;
      case "heal":
        this.log.heal(node.client);
        return;
      case "partition":
        this.#count(`partition (${step.how})`);
        this.log.partition(node.client, step.how);
        return;
      case "lose-presence":
        this.log.losePresence(node.id);
        return;
      case "disk-fault":
        this.#count(step.kind);
        node.breakDisk(step.kind, step.after);
        return;
      case "compare":
        this.#begin(node, this.compare(node));
        return;
    }
    if (db === undefined) return;
    const { life } = node;
    const lenient = (work: Promise<unknown>) =>
      this.#begin(
        node,
        work.then(
          () => undefined,
          (error: unknown) => {
            // The error of a node that fails is ignored here: `mustBeFine` checks all nodes after each step.
            if (node.life === life && !(error instanceof Error && error.name === "KayaError")) throw error;
          },
        ),
      );
    if (step.step === "flush") lenient(db.flush());
    else if (step.step === "promote") lenient(db.promote());
    else if (step.step === "step-down") lenient(db.stepDown());
    else lenient(this.#keepToken(node));
  }

  async #keepToken(node: SimNode): Promise<void> {
    const { db } = node;
    if (db === undefined) return;
    const lsn = node.lsnOf(db);
    const token = await db.changesToken();
    this.tokens.push({ token, from: node.id, lsn });
  }

  #begin(node: SimNode, work: Promise<void>): void {
    const pending = work.catch((error: unknown) => {
      this.failure ??= error;
    });
    this.#pending.set(pending, { node, life: node.life });
    void pending.then(() => this.#pending.delete(pending));
  }

  #faultOf(client: string, kind: WorldCall["kind"]): StoreFault | undefined {
    const call: WorldCall = { client, kind, number: ++this.#callCount };
    this.calls[kind] = (this.calls[kind] ?? 0) + 1;
    if (this.isCalm) return undefined;
    if (this.#strike !== undefined) return this.#strike(call, this);
    if (this.#interrupt(call) === "died") return undefined;
    if (this.#isStoreDown && kind.startsWith("store.")) return { kind: "refused" };
    const armed = this.#nextArmed(call);
    const random = new Random(this.#seed, 3, call.number);
    const fault = armed ?? (random.below(100) < this.#percent ? faultOf(random) : undefined);
    if (fault !== undefined) this.#count(`${call.kind}: ${nameOf(fault)}`);
    return fault;
  }

  /** C7: a node may load the named base at any time. */
  async #removing(name: string, client: string): Promise<void> {
    const { base } = this.log;
    if (base === undefined) return;
    const tables = await readBase(this.blobStore, base.name).then(
      (read) => read.tables.map(({ object }) => object),
      (): string[] => [], // the end of the run tells that the base cannot be loaded
    );
    if (name === base.name || tables.includes(name))
      this.failure ??= new ClusterRuleBroken(
        "wrong-base",
        `${client} removes ${name}, which the named base ${base.name} needs`,
      );
  }

  #interrupt({ client, kind }: WorldCall): "died" | undefined {
    const step = this.#interrupts.find(({ call }) => call === kind);
    const node = this.nodes.find((each) => each.client === client);
    if (step === undefined || node === undefined) return undefined;
    this.#interrupts = this.#interrupts.filter((each) => each !== step);
    this.#count(`${step.how} at ${kind}`);
    if (step.how === "stop") {
      node.stop();
      return undefined;
    }
    node.die(step.how);
    return "died";
  }

  #nextArmed({ client, kind }: WorldCall): StoreFault | undefined {
    const armed = this.#armed.find(
      (each) => (each.client ?? client) === client && each.faults[0]?.call === kind,
    );
    if (armed === undefined) return undefined;
    const [first, ...faults] = armed.faults;
    this.#armed = this.#armed.filter((each) => each !== armed);
    if (faults.length > 0) this.#armed.push({ client, faults });
    return first?.fault;
  }

  #count(name: string): void {
    this.struck[name] = (this.struck[name] ?? 0) + 1;
  }
}

function nameOf(fault: StoreFault): string {
  if (fault.kind !== "delay") return fault.kind;
  return fault.request === undefined ? "late reply" : "late request";
}

/** The entries of a scan as text. */
export async function stateOf(scan: AsyncIterable<KeyValue>): Promise<Map<string, string>> {
  const state = new Map<string, string>();
  for await (const { key, value } of scan) state.set(textOf(key), textOf(value));
  return state;
}

/** How a state differs from the one that the shared log has; undefined if they are the same. */
export function differenceBetween(
  found: ReadonlyMap<string, string>,
  expected: ReadonlyMap<string, string>,
): string | undefined {
  if (found.size === expected.size && [...found].every(([key, value]) => expected.get(key) === value))
    return undefined;
  const show = (state: ReadonlyMap<string, string>) =>
    [...state].map(([key, value]) => `${key}=${value.slice(0, 8)}`).join(" ");
  return `has ${show(found)}, but the shared log has ${show(expected)}`;
}

/** Small memtables and tables, so that nodes flush and compact during a run. */
function engineOf(random: Random): PartialEngineConfig {
  return {
    wal: { segmentMaxBytes: random.pick([4, 16, 64]) * KiB },
    memory: { memtableBytes: random.pick([2, 8, 64]) * KiB, cacheBytes: random.pick([0, 64 * KiB]) },
    tables: {
      autoFlush: random.chance(0.9),
      autoCompact: random.chance(0.8),
      tableBytes: 4 * KiB,
      blockBytes: 512,
      level0Tables: 2,
      level0Stop: 8,
      baseLevelBytes: 16 * KiB,
      quietMs: 0,
      worker: false,
    },
  };
}
