import { SimDisk } from "@kaya/io";
import { ClusterEngine, type ClusterOptions } from "../src/index.js";
import { SimClock, SimLog, type SimLogOptions } from "../src/testing/index.js";

/** Nodes over one shared log, in virtual time. */
export class Cluster {
  readonly clock = new SimClock({ isAutomatic: true });
  readonly log: SimLog;
  readonly disks = new Map<string, SimDisk>();
  readonly #open = new Set<ClusterEngine>();

  constructor(options: Omit<SimLogOptions, "clock"> = {}) {
    this.log = new SimLog({ latencyMs: 1, ...options, clock: this.clock });
  }

  /** Opens a node. It gets the disk that it had before. */
  async open(name: string, options: Partial<ClusterOptions> = {}): Promise<ClusterEngine> {
    const disk = this.disks.get(name) ?? new SimDisk();
    this.disks.set(name, disk);
    const log = this.log.client(name);
    const given = { nodeId: name, address: `http://${name}`, ...options };
    const node = await ClusterEngine.open({ ...given, log }, disk, { timers: this.clock });
    this.#open.add(node);
    return node;
  }

  /** Simulates SIGKILL of a node: it cannot reach the log any more, and the next `open` gets the disk that a crash leaves. */
  kill(name: string): void {
    this.log.pause(name);
    const left = this.disks.get(name)?.fork();
    left?.crash({ seed: 1 });
    if (left !== undefined) this.disks.set(name, left);
  }

  /** Waits until `holds` returns true. */
  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (let i = 0; !(await holds()); i++) {
      if (i > 10_000) throw new Error("the condition did not become true");
      await this.clock.sleep(10);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((node) => node.close()));
  }
}

export async function rowsOf(node: ClusterEngine): Promise<Record<string, string>> {
  const rows: Record<string, string> = {};
  for await (const { key, value } of node.scan())
    rows[Buffer.from(key).toString()] = Buffer.from(value).toString();
  return rows;
}
