// ns per call of the two CRC-32C implementations, by input length. Build first.
import { createRequire } from "node:module";
import os from "node:os";
import { crc32cInJs, NATIVE_CRC_MIN_BYTES } from "../dist/index.js";

const LENGTHS = [40, 64, 128, 192, 256, 320, 384, 512, 768, 1024, 2048, 4096];
const ROUNDS = 25;
const BYTES_PER_ROUND = 16 * 1024 * 1024;
const MAX_CALLS_PER_ROUND = 100_000;

const { crc32c: native } = createRequire(import.meta.url)("@node-rs/crc32");

// Records lie at any offset of a larger buffer, so the native side pays for its view, as it does in crc32cRange.
const arena = new Uint8Array(1024 * 1024);
let noise = 1;
for (let i = 0; i < arena.length; i++) {
  noise = (Math.imul(noise, 1103515245) + 12345) >>> 0;
  arena[i] = noise >>> 24;
}

const implementations = {
  js: (start, end) => crc32cInJs(arena, start, end, 0),
  native: (start, end) => native(arena.subarray(start, end), 0) | 0,
};

// Keeps the results alive, so that no call can be optimised away.
let sink = 0;

function nanosecondsPerCall(implementation, length) {
  const calls = Math.min(MAX_CALLS_PER_ROUND, Math.ceil(BYTES_PER_ROUND / length));
  const room = arena.length - length;
  let start = 0;
  const began = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) {
    sink ^= implementation(start, start + length);
    start += length + 1;
    if (start > room) start = 0;
  }
  return Number(process.hrtime.bigint() - began) / calls;
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

// Lengths within rounds, so that a noisy stretch of the machine falls on all of them alike.
function measure(rounds) {
  const samples = LENGTHS.map((length) => ({ length, js: [], native: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const { length, js, native } of samples) {
      js.push(nanosecondsPerCall(implementations.js, length));
      native.push(nanosecondsPerCall(implementations.native, length));
    }
  }
  return samples.map(({ length, js, native }) => ({ length, js: median(js), native: median(native) }));
}

// For the compiler; measuring starts from optimised code.
measure(2);

const cpu = os.cpus()[0]?.model ?? "unknown CPU";
console.log(
  `${new Date().toISOString().slice(0, 10)}, ${cpu}, ${os.cpus().length} cores, Node ${process.version}`,
);
console.log(`NATIVE_CRC_MIN_BYTES = ${NATIVE_CRC_MIN_BYTES}; median of ${ROUNDS} rounds, ns per call\n`);
console.log("| bytes | JavaScript | native | faster |");
console.log("|------:|-----------:|-------:|--------|");
for (const row of measure(ROUNDS)) {
  const cells = [
    String(row.length).padStart(5),
    row.js.toFixed(0).padStart(10),
    row.native.toFixed(0).padStart(6),
  ];
  console.log(`| ${cells.join(" | ")} | ${row.js <= row.native ? "js    " : "native"} |`);
}
if (sink === 0x1234567) console.log(sink);
