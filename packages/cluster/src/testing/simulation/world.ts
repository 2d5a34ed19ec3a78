import type { PartialEngineConfig } from "@kaya/core";
import type { KeyValue } from "@kaya/engine";
import { Random, SimDisk } from "@kaya/io";
import { directoryBlobStore } from "../../blob/directory-blob-store.js";
import type { BlobStore } from "../../blob-store.js";
import { SimClock } from "../sim-clock.js";
import type { SimCall, SimFault } from "../sim-faults.js";
import { SimLog } from "../sim-log.js";
import { Clients } from "./clients.js";
import { faultOf, NODES } from "./generate.js";
import { LogModel, textOf } from "./log-model.js";
import { type NodeWorld, SimNode } from "./sim-node.js";
import type { ClusterStep, NodeStep, StruckCall } from "./steps.js";
import { mustHold } from "./violation.js";

const KiB = 1024;

/** Three nodes, one shared log, their clients, and the faults between them. */
export class ClusterWorld {
  readonly clock = new SimClock({ idleTurns: 2 });
  readonly log: SimLog;
  /** The store of the bases. It has no faults. */
  readonly blobStore: BlobStore;
  readonly nodes: readonly SimNode[];
  readonly model: LogModel;
  readonly clients: Clients;
  /** Tokens of change feeds, each with its node and the LSN that it has at least. */
  readonly tokens: { readonly token: string; readonly from: string; readonly lsn: number }[] = [];
  /** The number of injected faults, by kind: faults of calls, crashes and others. */
  readonly struck: Record<string, number> = {};
  readonly #seed: number;
  #armed: { readonly client: string | undefined; readonly faults: readonly StruckCall[] }[] = [];
  #percent = 0;
  #isCalm = false;
  readonly #pending = new Map<Promise<void>, { readonly node: SimNode; readonly life: number }>();
  failure: unknown;
  /** The number of calls of the log, by kind. */
  readonly calls: Record<string, number> = {};
  readonly #strike: ((call: SimCall, world: ClusterWorld) => SimFault | undefined) | undefined;

  /** @param strike injects the fault of a call, instead of the random faults */
  constructor(seed: number, strike?: (call: SimCall, world: ClusterWorld) => SimFault | undefined) {
    this.#seed = seed;
    this.#strike = strike;
    const { clock } = this;
    const faults = (call: SimCall) => this.#faultOf(call);
    this.log = new SimLog({ clock, maxEntryBytes: 2 * KiB, latencyMs: 1, timeoutMs: 1_000, faults });
    this.blobStore = directoryBlobStore(new SimDisk({ seed }));
    const random = new Random(seed, 2);
    const world: NodeWorld = {
      seed,
      clock,
      log: this.log,
      blobStore: this.blobStore,
      engine: engineOf(random),
      tailMaxBytes: random.pick([8, 8, 64, 1024]) * KiB,
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
      case "weather":
        this.#percent = step.percent;
        break;
      case "fault":
        this.#armed.push({ client: undefined, faults: step.faults });
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
    const found = this.failure ?? this.clients.failure ?? this.nodes.find(({ failure }) => failure)?.failure;
    if (found !== undefined) throw found;
  }

  /** Ends all faults: stopped processes, partitions and a lost majority come back. */
  calm(): void {
    this.#isCalm = true;
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
        node.disk.addFault({ at: node.disk.nextOperation + step.after, kind: step.kind });
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
            // The error of a node that fails is ignored here: the end of the run checks all nodes.
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

  #faultOf(call: SimCall): SimFault | undefined {
    this.calls[call.kind] = (this.calls[call.kind] ?? 0) + 1;
    if (this.#isCalm) return undefined;
    if (this.#strike !== undefined) return this.#strike(call, this);
    const armed = this.#nextArmed(call);
    const random = new Random(this.#seed, 3, call.number);
    const fault = armed ?? (random.below(100) < this.#percent ? faultOf(random) : undefined);
    if (fault !== undefined) this.#count(`${call.kind}: ${nameOf(fault)}`);
    return fault;
  }

  #nextArmed({ client, kind }: SimCall): SimFault | undefined {
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

function nameOf(fault: SimFault): string {
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
