// A process for strace: durable writes, one in flight, with marks that the trace shows.
import { existsSync } from "node:fs";
import { entryKey, entryValue } from "../data.js";
import { SYSTEMS } from "../systems/all.js";
import { MARK } from "./strace-log.js";
import { type Way, waysOf } from "./ways.js";

const [name, dir = "", count, way] = process.argv.slice(2);
const system = SYSTEMS.find((candidate) => candidate.name === name);
const store = await system?.open(dir, "durable");
if (store === undefined) throw new Error(`there is no system ${name}`);
const write = waysOf(store)[way as Way];
if (write === undefined) throw new Error(`${name} cannot write by ${way}`);
for (let i = 0; i < Number(count); i++) {
  existsSync(`${MARK.put}/${i}`);
  await write(entryKey(i), entryValue(i));
  existsSync(`${MARK.acknowledged}/${i}`);
}
await store.close();
