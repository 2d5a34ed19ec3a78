// A symbolic link has the name of the lock, of a segment or of a temporary file. Nothing is written where it leads.
import {
  copyFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { load, mustHold, temporaryDirectory } from "./support.mjs";

const { Engine } = await load("engine");
const SOMEBODYS = "somebody's text, not one of ours\n".repeat(20);

await look("LOCK", (name, outside) => putLink(name, outside, SOMEBODYS));
await look("consumers.tmp", (name, outside) => putLink(name, outside, SOMEBODYS));
await look("wal/quarantine", (name, outside) => putLink(name, outside, SOMEBODYS));
await look("wal/0000000000000001.wal", (name, outside) => {
  copyFileSync(name, outside);
  truncateSync(outside, readFileSync(outside).length - 3); // recovery cuts a torn tail
  putLink(name, outside);
});

/** @param {string} path relative to the data directory @param {(name: string, outside: string) => void} put */
async function look(path, put) {
  const base = temporaryDirectory();
  const outside = join(base, "outside");
  const dataDir = join(base, "data");
  await use(dataDir);
  rmSync(join(dataDir, "LOCK")); // it would tell of a clean close, and so of damage
  put(join(dataDir, path), outside);
  const before = readFileSync(outside, "hex");
  await use(dataDir).catch(() => undefined); // to refuse is right
  mustHold(readFileSync(outside, "hex") === before, `what ${path} leads to was changed`);
  mustHold(readdirSync(base).length === 2, `what ${path} leads to is not alone any more`);
}

/** @param {string} dataDir */
async function use(dataDir) {
  const engine = await Engine.open({ dataDir, tables: { autoFlush: false } });
  await engine.put("a", "1");
  await engine.addConsumer("x");
  await engine.close();
}

/** @param {string} name @param {string} outside @param {string} [text] default: what is there already */
function putLink(name, outside, text) {
  if (text !== undefined) writeFileSync(outside, text);
  rmSync(name, { force: true });
  symlinkSync(outside, name);
}
