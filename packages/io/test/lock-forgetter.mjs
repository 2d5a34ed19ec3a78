// Takes the lock of the directory that it is given, opens a file under it, forgets both, and says when garbage was collected.
import { setImmediate as nextTurn } from "node:timers/promises";
import { NodeDisk } from "../dist/index.js";

let isCollected = false;
const registry = new FinalizationRegistry(() => {
  isCollected = true;
});

async function lockAndForget(root) {
  const disk = new NodeDisk(root);
  await disk.lock("LOCK");
  await disk.open("file", { create: true });
  registry.register({}); // forgotten at the same moment
}

await lockAndForget(process.argv[2]);
// What nobody refers to is collected, and then what that referred to.
for (let left = 100; left > 0; left--) {
  globalThis.gc();
  await nextTurn();
}
process.stdout.write(isCollected ? "garbage was collected\n" : "no garbage was collected\n");
process.stdin.resume();
