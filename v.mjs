import { Engine } from "./packages/engine/dist/index.js";
import { SimDisk } from "./packages/io/dist/index.js";
const CONFIG = { wal: { segmentMaxBytes: 700, maxRecordBytes: 400, maxBatchBytes: 300 }, tables: { autoFlush: false, quietMs: 0, level0Tables: 2 } };
const disk=new SimDisk(); let t=performance.now();
async function w(){ let engine=await Engine.open(CONFIG,disk); for(let i=1;i<=24;i++){ await engine.put("count",`${i}`,{durability:i%3?"strict":"relaxed"}); if(i%8===0) await engine.put("padding","x".repeat(300)); if(i===5||i===16||i===17) await engine.flush(); if(i===13){await engine.close(); engine=await Engine.open(CONFIG,disk);} } return engine;}
const e=await w(); console.log(performance.now()-t, disk.nextOperation); t=performance.now(); await e.close(); console.log(performance.now()-t); t=performance.now();
for(let i=0;i<20;i++){ const d=disk.fork(); const e2=await Engine.open(CONFIG,d); await e2.close(); } console.log("open+close",(performance.now()-t)/20);
