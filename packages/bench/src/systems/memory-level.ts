import { loadPeer, type System } from "../system.js";
import { AbstractLevelStore, BYTES, type Level } from "./abstract-level-store.js";

interface Module {
  readonly MemoryLevel: new (options: object) => Level;
}

export const memoryLevel: System = {
  name: "memory-level",
  kind: "peer",
  packageName: "memory-level",
  onDisk: false,
  setup: { relaxed: 'memory only: nothing is ever written; storeEncoding: "view"' },
  async open() {
    const { MemoryLevel } = await loadPeer<Module>("memory-level");
    const level = new MemoryLevel({ ...BYTES, storeEncoding: "view" });
    await level.open();
    return new AbstractLevelStore(level, {});
  },
};
