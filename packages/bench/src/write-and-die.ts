// A process that writes entries to a store, and is killed once they are acknowledged: nothing is closed.
import { load } from "./load.js";
import { SYSTEMS } from "./systems/all.js";

// Its parent is gone, and removes the directory.
process.on("disconnect", () => process.exit(1));

const [name, dir = "", from, to] = process.argv.slice(2);
const system = SYSTEMS.find((candidate) => candidate.name === name);
const store = await system?.open(dir, "relaxed");
if (store === undefined) throw new Error(`there is no system ${name}`);
await load(store, Number(from), Number(to));
process.kill(process.pid, "SIGKILL");
