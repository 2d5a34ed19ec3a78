#!/usr/bin/env node
import module from "node:module";

// From Node 22.8 on: keeps what was compiled for the next start. The types are those of Node 20.
const { enableCompileCache } = module as { enableCompileCache?: () => void };
enableCompileCache?.();
const { main } = await import("./main.js");
await main();
