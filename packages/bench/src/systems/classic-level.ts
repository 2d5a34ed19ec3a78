import { loadPeer, type System } from "../system.js";
import { AbstractLevelStore, BYTES, type Level, levelMemory } from "./abstract-level-store.js";
import { typedLevel } from "./typed-level.js";

interface Module {
  readonly ClassicLevel: new (dir: string, options: object) => Level;
}

export const classicLevel: System = {
  name: "classic-level",
  kind: "peer",
  packageName: "classic-level",
  onDisk: true,
  setup: { durable: "sync: true", relaxed: "sync: false (its default)" },
  typed: typedLevel,
  async open(dir, durability, memory) {
    const { ClassicLevel } = await loadPeer<Module>("classic-level");
    const level = new ClassicLevel(dir, { ...BYTES, ...levelMemory(memory) });
    await level.open();
    return new AbstractLevelStore(level, { sync: durability === "durable" });
  },
};
