// For a moment the process has no free file descriptor, while the log rotates, a memtable is flushed and consumers are written. What was
// acknowledged stays, and the same engine goes on once there are descriptors.
import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { load, mustHold, skip, temporaryDirectory } from "./support.mjs";

const LIMIT = 512; // more than Node needs at once to load the modules
const MOST_FREE = 3;
if (process.platform === "win32") skip("there is no limit that a shell could set");
if (process.env.KAYA_REAL_LIMITED === undefined) {
  const script = `ulimit -n ${LIMIT} && exec "$0" "$@"`;
  const args = ["-c", script, process.execPath, ...process.argv.slice(1)];
  execFileSync("sh", args, { env: { ...process.env, KAYA_REAL_LIMITED: "1" }, stdio: "inherit" });
  process.exit(0);
}

const { Engine } = await load("engine");
for (let free = 0; free <= MOST_FREE; free++) await live(free);

/** @param {number} free how many descriptors are left */
async function live(free) {
  const options = {
    dataDir: join(temporaryDirectory(), "data"),
    wal: { segmentMaxBytes: 4096 },
    tables: { autoFlush: false },
  };
  const engine = await Engine.open(options);
  const acknowledged = ["first"];
  await engine.put("first", "1");
  const held = takeAll();
  for (let left = free; left > 0; left--) closeSync(held.pop());
  await engine.flush().catch(() => undefined); // that these fail is no broken promise
  await engine.addConsumer("x").catch(() => undefined);
  for (let n = 0; n < 40; n++) {
    const written = engine.put(`k${n}`, "v".repeat(200));
    await written.then(() => acknowledged.push(`k${n}`)).catch(() => undefined);
  }
  for (const fd of held) closeSync(fd);
  await engine.put("after", "1"); // rejects where the engine has failed for good
  await engine.close();
  const again = await Engine.open(options);
  const lost = acknowledged.filter((key) => again.getSync(key) === undefined);
  await again.close();
  mustHold(lost.length === 0, `${lost} were acknowledged and are lost`);
}

/** @returns {number[]} */
function takeAll() {
  const held = [];
  try {
    for (;;) held.push(openSync("/dev/null"));
  } catch (error) {
    mustHold(error.code === "EMFILE", `opening /dev/null ended with ${error.code}`);
    return held;
  }
}
