// Runs the built packages in other runtimes, one line each, then the lock between each two of them. `npx pnpm@10 runtimes`
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkLocks } from "./locks.mjs";
import { CACHE, commandOf, RUNTIMES } from "./runtimes.mjs";

const run = promisify(execFile);
const path = (name) => new URL(name, import.meta.url).pathname;
const KAYACTL = path("../../packages/kayactl/dist/bin.js");
const ACKNOWLEDGED = 500;
const AT_MOST_MS = 120_000;
const isCI = process.env.CI === "true";

/** Writes in a runtime until so many puts are acknowledged, and kills it. */
async function killWriter([binary, ...flags], directory) {
  const writer = spawn(binary, [...flags, path("writer.mjs"), directory], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  writer.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const exit = once(writer, "exit");
  let said = "";
  for await (const chunk of writer.stdout) {
    said += chunk;
    if (acknowledgedIn(said) >= ACKNOWLEDGED) break;
  }
  writer.kill("SIGKILL");
  await exit;
  if (acknowledgedIn(said) < ACKNOWLEDGED) throw new Error(`the writer ended: ${errors}`);
  return acknowledgedIn(said);
}

/** The last whole line is how many puts are acknowledged. */
function acknowledgedIn(said) {
  return Number(said.split("\n").at(-2) ?? 0);
}

/** The checks of program.mjs, and kayactl, in one runtime. @returns how many checks passed */
async function check(command, work) {
  const [binary, ...flags] = command;
  const [own, killed] = [join(work, "own"), join(work, "killed")];
  mkdirSync(own, { recursive: true });
  const acknowledged = await killWriter(command, killed);
  const options = { timeout: AT_MOST_MS, killSignal: "SIGKILL" };
  const { stdout } = await run(
    binary,
    [...flags, path("program.mjs"), own, killed, `${acknowledged}`],
    options,
  );
  const verify = ["verify", "--data", join(own, "data")];
  // kayactl in that runtime, and in this one: what another runtime wrote is in order here.
  await run(binary, [...flags, KAYACTL, ...verify], options);
  await run(process.execPath, [KAYACTL, ...verify], options);
  return Number(stdout) + 2;
}

async function tellOf({ name, version }, installed, work) {
  const label = `${name} ${version}`.padEnd(16);
  if (installed.status === "rejected") {
    console.log(`${label}  ${isCI ? "FAILED" : "skipped"}: ${installed.reason.message}`);
    return { failed: isCI };
  }
  const command = installed.value;
  const began = performance.now();
  try {
    const passed = await check(command, join(work, version));
    console.log(`${label}  ok  ${passed} checks in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    return { failed: false, command };
  } catch ({ message }) {
    console.log(`${label}  FAILED: ${message}`); // with all that the program printed as errors
    return { failed: true };
  }
}

const isCovered = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);
if (!isCovered) {
  console.log(`skipped: this runs on Linux x64 and arm64, not on ${process.platform}-${process.arch}`);
  process.exit(0);
}

const work = mkdtempSync(join(tmpdir(), "kaya-runtimes-"));
try {
  console.log(`runtimes from npm, in ${CACHE}`);
  const installed = await Promise.allSettled(RUNTIMES.map((runtime) => commandOf(runtime)));
  const told = [];
  for (const [at, runtime] of RUNTIMES.entries()) told.push(await tellOf(runtime, installed[at], work));
  const commands = told.flatMap(({ command }) => (command === undefined ? [] : [command]));
  const locks = await checkLocks([[process.execPath], ...commands], join(work, "locks"));
  console.log(locks.line);
  process.exitCode = locks.failed || told.some(({ failed }) => failed) ? 1 : 0;
} finally {
  rmSync(work, { recursive: true, force: true });
}
