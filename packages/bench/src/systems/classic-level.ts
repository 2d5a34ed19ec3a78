import { loadPeer, type System } from "../system.js";
import { AbstractLevelStore, BYTES, type Level } from "./abstract-level-store.js";

interface Module {
  readonly ClassicLevel: new (dir: string, options: object) => Level;
}

/** One buffer takes writes, the other is flushed. */
const WRITE_BUFFERS = 2;

export const classicLevel: System = {
  name: "classic-level",
  kind: "peer",
  packageName: "classic-level",
  onDisk: true,
  setup: { durable: "sync: true", relaxed: "sync: false (its default)" },
  async open(dir, durability, memory) {
    const { ClassicLevel } = await loadPeer<Module>("classic-level");
    const level = new ClassicLevel(dir, {
      ...BYTES,
      ...(memory && {
        cacheSize: memory.cacheBytes,
        writeBufferSize: memory.writeBufferBytes / WRITE_BUFFERS,
      }),
    });
    await level.open();
    return new AbstractLevelStore(level, { sync: durability === "durable" });
  },
};
