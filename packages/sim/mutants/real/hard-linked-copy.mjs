// A copy by hard links is made of a directory: one that a killed process left, then one that was closed. Opening and writing change no byte of the copy.
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { load, mustHold, temporaryDirectory } from "./support.mjs";

const { Engine } = await load("engine");
const dir = join(temporaryDirectory(), "data");
const [, , root] = process.argv;
const writer = `
  const { Engine } = await import(${JSON.stringify(`file://${root}/node_modules/@kaya/engine/dist/index.js`)});
  const engine = await Engine.open({ dataDir: ${JSON.stringify(dir)} });
  for (let n = 0; n < 20; n++) await engine.put("key " + n, "value " + n);
  process.kill(process.pid, "SIGKILL");`;
try {
  execFileSync(process.execPath, ["--input-type=module", "--eval", writer], { stdio: "ignore" });
} catch {
  // it kills itself
}
await look("after a kill");
await look("after a clean close");

/** @param {string} when the directory was left like that */
async function look(when) {
  const copy = join(dir, `../copy ${when}`);
  const names = readdirSync(join(dir, "wal")).filter((name) => name.endsWith(".wal"));
  mkdirSync(copy);
  for (const name of names) linkSync(join(dir, "wal", name), join(copy, name));
  const read = () => names.map((name) => readFileSync(join(copy, name), "hex")).join("\n");
  const before = read();
  mustHold(before.length > 1000, "the writer wrote nothing");
  const engine = await Engine.open({ dataDir: dir });
  await engine.put(when, "");
  await engine.close();
  mustHold(
    read() === before,
    `opening ${when}, or a write behind it, changed the bytes of a hard-linked copy`,
  );
}
