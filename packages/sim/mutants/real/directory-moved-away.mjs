// The directory of an engine that is open is moved away, and a copy takes its place. Whatever the engine answers, it writes nothing there.
import { cpSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { load, mustHold, temporaryDirectory } from "./support.mjs";

const { Engine } = await load("engine");
const dir = join(temporaryDirectory(), "data");
const open = () => Engine.open({ dataDir: dir, tables: { autoFlush: false } });

const made = await open();
await made.put("a", "1");
await made.close();
const before = await open();
await before.put("b", "2");
renameSync(dir, `${dir}-away`);
cpSync(`${dir}-away`, dir, { recursive: true });
const found = contentsOf(dir);
for (const act of [
  () => before.put("c", "3"),
  () => before.flush(),
  () => before.addConsumer("x"),
  () => before.close(),
])
  await act().catch(() => undefined); // that it fails is what it is to do
mustHold(contentsOf(dir) === found, "an engine wrote into the directory that took the place of its own");

/** Names and bytes of all files, as text. */
function contentsOf(path) {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const texts = files.map(
    (file) => `${file.parentPath}/${file.name} ${readFileSync(join(file.parentPath, file.name), "hex")}`,
  );
  return texts.sort().join("\n");
}
