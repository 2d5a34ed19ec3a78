import { KayaError } from "@kaya/core";
import type { Command, CommanderError } from "commander";
import { invalid, toJson } from "./bytes.js";
import { ExitCode } from "./context.js";
import { pathOf } from "./help.js";
import type { Output } from "./terminal/output.js";
import { escapeText } from "./terminal/text.js";

export function exitCodeOf(error: unknown): number {
  return KayaError.is(error) ? error.exitCode : ExitCode.Failed;
}

/** `error KAYA_X: message`; with --json one document behind it. Only an unknown error shows its stack, and only with DEBUG. */
export async function printError(err: Output, error: unknown, isJson: boolean): Promise<void> {
  const code = KayaError.is(error) ? error.code : "KAYA_INTERNAL";
  const message = error instanceof Error ? error.message : String(error);
  await err.line(`${err.colors.bold(err.colors.red("error"))} ${code}: ${escapeText(message)}`);
  const hint = hintFor(code, message);
  if (hint !== undefined) await err.line(`hint: ${hint}`);
  if (isDebug() && error instanceof Error) await err.line(error.stack ?? "");
  if (isJson) await err.line(toJson({ ok: false, code, message }));
  await err.flush();
}

/** Whether a message speaks of a manifest or of a table. */
const NAMES_TABLES = /\b(manifest|sst)\/[0-9a-f]{16}\./;

/** What the message advises, in words of the command line. */
function hintFor(code: string, message: string): string | undefined {
  if (message.includes("maxRecordBytes")) return "use --max-record-bytes N";
  if (message.includes("disableLocking")) return "use --no-lock";
  if (message.includes("allowForeignFiles")) return "use --allow-foreign-files";
  if (message.includes("leaveCluster"))
    return 'write with the program whose node it is; or "kayactl cluster leave DIR"';
  if (code === "KAYA_LOCK_CONFLICT")
    return 'get, scan, export, verify, "shell --read-only" and "studio" without --write work meanwhile';
  if (code !== "KAYA_CORRUPTION") return undefined;
  if (NAMES_TABLES.test(message))
    return '"kayactl verify" lists all damage; no --recovery skips a manifest or a table, because the log that they cover was dropped';
  return '"kayactl verify" lists all damage; "kayactl recover --recovery prefix" keeps the log before it';
}

function isDebug(): boolean {
  return (process.env.DEBUG ?? "") !== "";
}

/**
 * A wrong call, told as any other mistake of the caller.
 * @param command the innermost command that was found in the arguments
 * @param isInShell commands are typed without the program's name
 */
export function usageError(error: CommanderError, command: Command, isInShell: boolean): KayaError {
  const path = pathOf(command);
  const help = `see "${isInShell ? "" : "kayactl "}${`help ${path}`.trimEnd()}"`;
  if (error.code === "commander.help") {
    return invalid(`${path === "" ? "no command was given" : `"${path}" needs a subcommand`}: ${help}`);
  }
  const message = error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
  const dashes =
    error.code === "commander.unknownOption" && command.registeredArguments.length > 0
      ? " Put -- before a key or value that begins with a dash."
      : "";
  return invalid(`${message.replace(/(?<![.)])$/, ".")}${dashes} (${help})`);
}
