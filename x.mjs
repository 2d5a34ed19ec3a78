import { Engine } from "./packages/engine/dist/index.js";
import fs from "node:fs";
const dataDir="/tmp/h/etest-x"; fs.rmSync(dataDir,{recursive:true,force:true});
const e=await Engine.open({dataDir});
for(let i=0;i<20;i++) await e.put("a"+i,"a");
await e.close();
console.log(fs.readFileSync(dataDir+"/LOCK","utf8"), e.stats().tables, fs.readdirSync(dataDir+"/wal"), fs.readdirSync(dataDir+"/manifest"));
