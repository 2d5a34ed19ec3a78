// `node reproduce.mjs FILE`: a crash state that main.mjs found wanting, once more. Ends with 1 where it still is.
import { readFile } from "node:fs/promises";
import { scenarioNamed } from "./scenario-named.mjs";

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error("usage: node reproduce.mjs FILE");
const { scenario, seed, crashes } = JSON.parse(await readFile(path, "utf8"));
const { failed, error } = await scenarioNamed(scenario).reproduce({ seed, crashes });
console.log(failed ? error : `${scenario}: this crash state breaks no promise any more`);
process.exitCode = failed ? 1 : 0;
