import { Command } from "commander";
import { registerBackup } from "./commands/backup.js";
import { registerBench } from "./commands/bench.js";
import { registerCluster } from "./commands/cluster.js";
import { registerCompact } from "./commands/compact.js";
import { registerCompletion } from "./commands/completion.js";
import { registerConsumers } from "./commands/consumers.js";
import { registerDelete } from "./commands/delete.js";
import { registerDoctor } from "./commands/doctor.js";
import { registerExport } from "./commands/export.js";
import { registerFlush } from "./commands/flush.js";
import { registerCat, registerGet } from "./commands/get.js";
import { registerImport } from "./commands/import.js";
import { registerInspect } from "./commands/inspect.js";
import { registerPut } from "./commands/put.js";
import { registerQuarantine } from "./commands/quarantine.js";
import { registerRecover } from "./commands/recover.js";
import { registerReplicate } from "./commands/replicate.js";
import { registerRestore } from "./commands/restore.js";
import { registerLs, registerScan } from "./commands/scan.js";
import { registerShell } from "./commands/shell.js";
import { registerSim } from "./commands/sim.js";
import { registerStats } from "./commands/stats.js";
import { registerStudio } from "./commands/studio.js";
import { registerVerify } from "./commands/verify.js";
import type { Execute } from "./context.js";
import { configureHelp, registerHelp } from "./help.js";
import { addGlobalOptions } from "./options.js";
import type { Output } from "./terminal/output.js";
import { version } from "./version.js";

/**
 * The command line. Help and version go to `writeOut`; a wrong call throws a CommanderError and prints nothing.
 * @param out tells how wide help is, and whether it has colours
 */
export function createProgram(execute: Execute, out: Output, writeOut: (text: string) => void): Command {
  const program = new Command("kayactl")
    .description("Read, write, check and repair a Kaya data directory.")
    .version(version(), "-V, --version", "print the version")
    .usage("COMMAND [options]")
    .exitOverride()
    .showSuggestionAfterError();
  configureHelp(program, out, writeOut);
  addGlobalOptions(program);
  program.commandsGroup("Data:");
  for (const register of [
    registerPut,
    registerGet,
    registerCat,
    registerDelete,
    registerScan,
    registerLs,
    registerExport,
    registerImport,
    registerStats,
    registerStudio,
  ]) {
    register(program, execute);
  }
  program.commandsGroup("Files:");
  for (const register of [
    registerVerify,
    registerDoctor,
    registerRecover,
    registerFlush,
    registerCompact,
    registerBackup,
    registerReplicate,
    registerRestore,
    registerConsumers,
    registerQuarantine,
    registerInspect,
  ]) {
    register(program, execute);
  }
  program.commandsGroup("Several machines:");
  registerCluster(program, execute);
  program.commandsGroup("Proof:");
  for (const register of [registerSim, registerBench]) register(program, execute);
  program.commandsGroup("Terminal:");
  registerShell(program, execute);
  registerCompletion(program, execute);
  registerHelp(program, writeOut);
  return program;
}
