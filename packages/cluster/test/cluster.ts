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

  /** Opens a node, on the disk that it had before. */
  async open(name: string, options: Partial<ClusterOptions> = {}): Promise<ClusterEngine> {
    const disk = this.disks.get(name) ?? new SimDisk();
    this.disks.set(name, disk);
    const log = this.log.client(name);
    const given = { nodeId: name, address: `http://${name}`, ...options };
    const node = await ClusterEngine.open({ ...given, log }, disk, { timers: this.clock });
    this.#open.add(node);
    return node;
  }

  /** As SIGKILL, but for the memory: nothing of the node reaches the log any more, and a crash leaves its disk. */
  kill(name: string): void {
    this.log.pause(name);
    const left = this.disks.get(name)?.fork();
    left?.crash({ seed: 1 });
    if (left !== undefined) this.disks.set(name, left);
  }

  /** Resolves when `holds` gives true. */
  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (let i = 0; !(await holds()); i++) {
      if (i > 10_000) throw new Error("it does not come true");
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
