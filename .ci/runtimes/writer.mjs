// Puts k0, k1, … durably, and prints how many are acknowledged, until it is killed.
import { Engine } from "../../packages/engine/dist/index.js";

const db = await Engine.open({ dataDir: process.argv[2] });
for (let i = 0; ; i += 10) {
  await Promise.all(Array.from({ length: 10 }, (_, j) => db.put(`k${i + j}`, `${i + j}`)));
  process.stdout.write(`${i + 10}\n`);
}
