// Takes the lock of a directory and says how that went. With "hold" it keeps the lock until it is killed.
import { NodeDisk } from "../../packages/io/dist/index.js";

const [directory, hold] = process.argv.slice(2);
try {
  const lock = await new NodeDisk(directory).lock("LOCK");
  console.log("locked");
  if (hold === "hold") process.stdin.resume();
  else await lock.release();
} catch ({ code, message }) {
  console.log(`${code} by ${/process (\d+)/.exec(message)?.[1]}`);
}
