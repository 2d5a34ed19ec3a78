// A process for strace: durable puts, one in flight, with marks that the trace shows.
import { existsSync } from "node:fs";
import { entryKey, entryValue } from "../data.js";
import { SYSTEMS } from "../systems/all.js";
import { MARK } from "./strace-log.js";

const [name, dir = "", count] = process.argv.slice(2);
const system = SYSTEMS.find((candidate) => candidate.name === name);
const store = await system?.open(dir, "durable");
if (store === undefined) throw new Error(`there is no system ${name}`);
for (let i = 0; i < Number(count); i++) {
  existsSync(`${MARK.put}/${i}`);
  await store.put(entryKey(i), entryValue(i));
  existsSync(`${MARK.acknowledged}/${i}`);
}
await store.close();
