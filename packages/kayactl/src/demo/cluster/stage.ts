import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type EtcdCluster, freePorts, startEtcd, TcpProxy } from "@kaya/cluster/testing";
import { colors } from "../colors.js";
import type { Client } from "./client.js";
import { NodeProcess } from "./node-process.js";
import type { NodeEvent } from "./protocol.js";

const IDS = ["node-1", "node-2", "node-3"];
/** The longest wait for a takeover. It is generous, because the machine may be busy. */
const MOST_MS = 40_000;
const LOOK_MS = 5;

/** Three members of etcd and three nodes. Each node has proxies of its own to the members. */
export class Stage {
  readonly nodes: NodeProcess[] = [];
  readonly takeovers: { readonly what: string; readonly ms: number }[] = [];
  readonly #directory: string;
  readonly #signal: AbortSignal;
  readonly #wires = new Map<NodeProcess, readonly TcpProxy[]>();
  #etcd: EtcdCluster | undefined;
  #isOver = false;
  /** The moment of the last fault. */
  #since = performance.now();

  constructor(directory: string, signal: AbortSignal) {
    this.#directory = directory;
    this.#signal = signal;
  }

  get etcd(): EtcdCluster {
    if (this.#etcd === undefined) throw new Error("etcd was not started");
    return this.#etcd;
  }

  async set(): Promise<void> {
    this.#etcd = await startEtcd();
    for (const id of IDS) {
      const wires = await wiresTo(this.#etcd);
      const node = new NodeProcess(
        {
          id,
          dataDir: join(this.#directory, id),
          blobs: join(this.#directory, "blobs"),
          endpoints: wires.map(({ port }) => `http://127.0.0.1:${port}`),
          port: 0,
        },
        (event, from) => this.#hear(event, from),
      );
      this.#wires.set(node, wires);
      this.nodes.push(node);
    }
    this.#since = performance.now();
    await Promise.all(this.nodes.map((node) => node.start()));
  }

  /** Prints what a node saw, in one line. */
  #hear(event: NodeEvent, { id }: NodeProcess): void {
    if (event.type === "open" || this.#isOver) return;
    const { role, epoch, lsn } = event;
    const ms = Math.round(performance.now() - this.#since);
    const seen =
      role === "writer" ? colors.green("is the writer") : role === "follower" ? "follows" : `is ${role}`;
    console.log(`  ${colors.dim(`${`+${ms}`.padStart(6)} ms`)}  ${id} ${seen}, epoch ${epoch}, LSN ${lsn}`);
  }

  /** The node that acknowledged last. */
  writer(client: Client): NodeProcess {
    const found = this.nodes.find(({ address }) => address === client.lastFrom);
    if (found === undefined) throw new Error("no write has been acknowledged yet");
    return found;
  }

  /** Injects a fault into a node, and waits until another node has acknowledged a write. */
  async blow(
    client: Client,
    node: NodeProcess,
    what: string,
    hit: () => Promise<void> | void,
  ): Promise<void> {
    const count = client.acknowledged.length;
    this.#since = performance.now();
    console.log(`  ${colors.red(`${node.id} ${what}`)}; ${count} writes are acknowledged.`);
    await hit();
    const by = await this.acknowledgedBy(client, (address) => address !== node.address);
    const ms = performance.now() - this.#since;
    this.takeovers.push({ what: `the writer ${what}`, ms });
    console.log(`  ${colors.bold(`${by.id} took over: it acknowledged ${Math.round(ms)} ms after that.`)}`);
  }

  /** Waits for an acknowledgement of a wanted node. */
  async acknowledgedBy(client: Client, isWanted: (address: string) => boolean): Promise<NodeProcess> {
    const started = performance.now();
    const count = client.acknowledged.length;
    while (client.acknowledged.length === count || !isWanted(client.lastFrom)) {
      if (performance.now() - started > MOST_MS)
        throw new Error(`no write was acknowledged for ${MOST_MS / 1000} s`);
      await sleep(LOOK_MS, undefined, { signal: this.#signal });
    }
    return this.writer(client);
  }

  /** Cuts a node off: from now on no data passes, and no connection is closed. */
  async cutOff(node: NodeProcess): Promise<void> {
    for (const wire of this.#wires.get(node) ?? []) await wire.set("drop");
  }

  async mend(node: NodeProcess): Promise<void> {
    for (const wire of this.#wires.get(node) ?? []) await wire.set("pass");
  }

  /** Stops printing what the nodes see: they are about to be closed. */
  end(): void {
    this.#isOver = true;
  }

  /** Ends all processes. */
  async clear(): Promise<void> {
    if (this.#signal.aborted) for (const node of this.nodes) node.destroy();
    await Promise.all(this.nodes.map((node) => node.end()));
    await Promise.all([...this.#wires.values()].flat().map((wire) => wire.close()));
    await this.#etcd?.stop();
  }
}

/** Makes a proxy to each member. */
async function wiresTo({ members }: EtcdCluster): Promise<TcpProxy[]> {
  const ports = await freePorts(members.length);
  return Promise.all(members.map(({ port }, index) => TcpProxy.start(ports[index] as number, port)));
}
