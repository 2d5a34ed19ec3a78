import { Engine } from "./packages/engine/dist/index.js";
import { SimDisk } from "./packages/io/dist/index.js";
const CONFIG = {
  wal: { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 },
  tables: { autoFlush: false, autoCompact: false },
};
const disk = new SimDisk();
const engine = await Engine.open(CONFIG, disk);
const t=Date.now();
for (let i = 0; i < 300; i++) void engine.put(`key ${i}`, "x".repeat(300), { durability: "relaxed" });
await engine.sync();
console.log(Date.now()-t);
await engine.put("relaxed","x",{durability:"relaxed"});
const log=[];
for (const m of ["open","rename","remove","syncDir","list"]) { const o=disk[m].bind(disk); disk[m]=(...a)=>{log.push(m+" "+a[0]); return o(...a)}; }
await engine.flush(); console.log(Date.now()-t); console.log(log.slice(0,40).join("\n"));
await engine.close(); console.log(Date.now()-t);
