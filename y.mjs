import { Engine, recover } from "./packages/engine/dist/index.js";
import { SimDisk } from "./packages/io/dist/index.js";
const C={ memory: { cacheBytes: 0 },  tables: { autoFlush: false, autoCompact: false, blockBytes: 512 }};
const disk=new SimDisk();
const e=await Engine.open(C,disk);
const len=async()=>(await disk.list("manifest")).map(x=>x.path.slice(-12)+":"+x.length);
console.log(await len());
for(let i=0;i<40;i++) await e.put("k"+i,"x".repeat(40));
await e.flush(); console.log(await len());
for(let i=0;i<40;i++) await e.put("l"+i,"x".repeat(40));
await e.flush(); console.log(await len());
await e.put("log","1"); await e.close(); console.log(await len());
const path=(await disk.list("manifest"))[0].path, L=(await disk.list("manifest"))[0].length;
let prev;
for(let o=0;o<L;o++){const d=disk.fork(); d.flipBit(path,o,o%8); const m=await recover(C,d,{dryRun:true}).then(r=>"OK "+r.tables.covered.lsn+JSON.stringify(r.tables.warnings),x=>x.code+" "+x.message.replace(/offset \d+/,"offset N").slice(0,110)); if(m!==prev) console.log(o,m); prev=m;}
