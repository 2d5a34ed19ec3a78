// Takes the lock of the directory that it is given, forgets it, and says when it was collected.
import { setImmediate as nextTurn } from "node:timers/promises";
import { NodeDisk } from "../dist/index.js";

let isCollected = false;
const registry = new FinalizationRegistry(() => {
  isCollected = true;
});

async function lockAndForget(root) {
  const disk = new NodeDisk(root);
  registry.register(disk);
  await disk.lock("LOCK");
}

await lockAndForget(process.argv[2]);
// What nobody refers to is collected, and then what that referred to.
for (let left = 100; left > 0; left--) {
  globalThis.gc();
  await nextTurn();
}
process.stdout.write(isCollected ? "the disk was collected\n" : "the disk was not collected\n");
process.stdin.resume();
