import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Engine, type RecoveryReport } from "@kaya/engine";
import { formatWarning } from "@kaya/wal";
import { colors } from "./colors.js";
import { printLastSegment, tearLastRecord } from "./damage.js";
import { writeUntilKilled } from "./victim.js";

/**
 * `npx pnpm@10 demo`: a writer is killed in the middle of its work, the log is torn by hand on top of it, and every write
 * that was acknowledged is there all the same.
 */
const ACKNOWLEDGED_BEFORE_THE_KILL = 10_000;

function heading(text: string): void {
  console.log(`\n${colors.bold(colors.cyan(text))}`);
}

function printReport(report: RecoveryReport): void {
  console.log(`  records      ${report.recordCount} (LSN ${report.firstLsn} to ${report.lastLsn})`);
  console.log(`  segments     ${report.segments}, ${report.validBytes} bytes of whole records`);
  console.log(`  cut          ${report.truncatedBytes} bytes`);
  console.log(`  took         ${report.durationMs.toFixed(1)} ms`);
  for (const warning of report.warnings)
    console.log(`  ${colors.yellow("warning")}      ${formatWarning(warning)}`);
}

/** The acknowledged writes that are missing or have another value. */
function findLost(engine: Engine, acknowledged: readonly number[]): number[] {
  const decoder = new TextDecoder();
  return acknowledged.filter((n) => decoder.decode(engine.getSync(`order:${n}`)) !== `paid ${n * 7}`);
}

async function demo(dataDir: string): Promise<boolean> {
  heading("1. A process writes, 64 strict puts in flight, and reports each acknowledged write.");
  const acknowledged = await writeUntilKilled(dataDir, ACKNOWLEDGED_BEFORE_THE_KILL);
  console.log(
    `  ${acknowledged.length} writes were acknowledged. Then the process got a ${colors.red("SIGKILL")}: it closed nothing.`,
  );

  heading(
    "2. Part of a record stands at the end of the log, as after a power cut: the demo writes it there.",
  );
  const torn = await tearLastRecord(dataDir);
  console.log(
    `  ${torn.path}: ${torn.written} of the ${torn.length} bytes of record LSN ${torn.lsn} reached the file`,
  );

  heading("3. The last lines of `kayactl inspect wal`:");
  await printLastSegment(dataDir);

  heading("4. The engine is opened again. Recovery reports:");
  // A close would flush into a table and drop the log, which is looked at once more.
  const engine = await Engine.open({ dataDir, tables: { autoFlush: false } });
  printReport(engine.lastRecovery);

  heading("5. Is every acknowledged write there, with its value?");
  const lost = findLost(engine, acknowledged);
  const verdict =
    lost.length === 0 ? colors.green("none is lost") : colors.red(`LOST: ${lost.slice(0, 10).join(", ")}`);
  console.log(`  acknowledged ${acknowledged.length}, in the store ${engine.stats().entries}: ${verdict}`);
  await engine.put("order:after", "the crash");
  await engine.close();

  heading("6. The same segment now: the torn record is gone, and a new record stands in its place.");
  await printLastSegment(dataDir);
  if (lost.length > 0) return false;
  console.log(
    `\n${colors.bold(`Proved: after a SIGKILL and a torn write, all ${acknowledged.length} acknowledged writes are there, and recovery reported and kept what it cut.`)}`,
  );
  return true;
}

// `demo | head` stops reading; the demo still ends, and cleans up behind itself.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

const directory = await mkdtemp(join(tmpdir(), "kaya-demo-"));
try {
  const dataDir = join(directory, "data");
  console.log(`Kaya demo, in ${dataDir}`);
  if (!(await demo(dataDir))) process.exitCode = 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}
