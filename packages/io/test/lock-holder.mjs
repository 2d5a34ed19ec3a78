// Another process for node-lock.test.ts: takes the lock, says so, and holds it until it is told to end or killed.
import { NodeDisk } from "../dist/index.js";

const [root, path] = process.argv.slice(2);
const lock = await new NodeDisk(root).lock(path);
process.stdout.write(`cleanStart=${lock.cleanStart}\n`);
process.stdin.once("data", async (command) => {
  if (command.toString().trim() === "release clean") await lock.release({ clean: true });
  process.exit(0);
});
