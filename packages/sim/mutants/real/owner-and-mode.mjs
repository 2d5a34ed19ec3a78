// A directory of another user is opened by root. What is made there keeps the owner and the mode of what is there already.
import { chmodSync, chownSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { load, mustHold, skip, temporaryDirectory } from "./support.mjs";

const SOMEBODY = 65534;
const MODE = 0o640;
if (process.getuid?.() !== 0) skip("only root may give files to somebody else");

const { Engine } = await load("engine");
const dir = join(temporaryDirectory(), "data");
const open = () => Engine.open({ dataDir: dir, tables: { autoFlush: false } });
const made = await open();
await made.put("a", "1");
await made.addConsumer("before");
await made.close();
chownSync(dir, SOMEBODY, SOMEBODY);
for (const { name, isDirectory } of entries()) {
  chownSync(name, SOMEBODY, SOMEBODY);
  chmodSync(name, isDirectory ? 0o750 : MODE);
}
const engine = await open();
await engine.put("b", "2");
await engine.flush();
await engine.addConsumer("after");
await engine.close();
const found = entries();
mustHold(found.length > 7, "a segment, a table, a manifest, the consumers and the lock are missing");
for (const { name, isDirectory, uid, gid, mode } of found) {
  mustHold(uid === SOMEBODY && gid === SOMEBODY, `${name} belongs to ${uid}:${gid}`);
  mustHold(mode === (isDirectory ? 0o750 : MODE), `${name} has the mode ${mode.toString(8)}`);
}

function entries() {
  return readdirSync(dir, { recursive: true }).map((each) => {
    const name = join(dir, each);
    const info = lstatSync(name);
    return {
      name,
      isDirectory: info.isDirectory(),
      uid: info.uid,
      gid: info.gid,
      mode: info.mode & 0o777,
    };
  });
}
