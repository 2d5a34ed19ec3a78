// Uses up its descriptors, and says what a disk does meanwhile and afterwards: lines of "what: outcome".
import { closeSync, openSync } from "node:fs";
import { NodeDisk } from "../dist/index.js";

const disk = new NodeDisk(process.argv[2]);
const lock = await disk.lock("LOCK");
const file = await disk.open("made/file", { create: true });
await (await new NodeDisk(process.argv[2]).open("beside/file", { create: true })).close();

const held = [];
try {
  for (;;) held.push(openSync("/dev/null"));
} catch (error) {
  console.log(`all used: ${error.code}`);
}

async function tell(what, run) {
  const outcome = await run().then(
    () => "done",
    (error) => `${error.code} ${/EMFILE/.exec(error.message)?.[0]}`,
  );
  console.log(`${what}: ${outcome}`);
}

async function tellAll() {
  await tell("syncDir of what something was made in", () => disk.syncDir("made"));
  await tell("syncDir of the root", () => disk.syncDir(""));
  await tell("remove", () => disk.remove("made/absent"));
  await tell("sync", () => file.sync());
  await tell("syncDir of another directory", () => disk.syncDir("beside"));
  await tell("create", async () => (await disk.open("made/new", { create: true })).close());
  await tell("create in a new directory", async () =>
    (await disk.open("new/file", { create: true })).close(),
  );
  await tell("list", () => disk.list("made"));
}

await tellAll();
for (const fd of held) closeSync(fd);
await tellAll();
await file.close();
await lock.release();
