import { readFile } from "node:fs/promises";
import { KayaError } from "@kaya/core";
import { toJson } from "../bytes.js";
import { ExitCode, type Register } from "../context.js";
import { table } from "../terminal/columns.js";
import { escapeText } from "../terminal/text.js";
import { countRows, describeFailure } from "./sim-summary.js";

export const registerSimReplay: Register = (sim, execute) => {
  sim
    .command("replay")
    .summary("run a saved trace once more")
    .description(
      'Run the steps of a trace that "sim run" saved, or that was written by hand. Exit code 5 means a broken promise.',
    )
    .argument("<TRACE>")
    .addHelpText(
      "after",
      `
Examples:
  kayactl sim replay ./kaya-sim-42.jsonl`,
    )
    .action((path: string, _options: object, command) =>
      execute(command.optsWithGlobals(), async ({ out, options }) => {
        const { loadTrace, runTrace } = await import("@kaya/sim");
        const trace = loadTrace(await readTrace(path));
        const { violation, ...result } = await runTrace(trace);
        const at = violation === undefined ? undefined : trace.steps[violation.step];
        const isGood = violation === undefined;
        if (options.json) {
          const broken = isGood ? {} : { violation: { ...violation, ...(at !== undefined && { at }) } };
          await out.line(toJson({ ok: isGood, ...result, ...broken }));
        } else {
          const { bold, green, red } = out.colors;
          await out.line(`${bold(isGood ? green("OK") : red("FAILED"))} ${escapeText(path)}`);
          await out.line(table([...countRows(result), ["digest", result.digest]]));
          if (at !== undefined) await out.line(red(`at ${escapeText(JSON.stringify(at))}`));
        }
        if (isGood) return ExitCode.Ok;
        throw new KayaError("KAYA_INVARIANT_VIOLATION", describeFailure({ ...result, violation }));
      }),
    );
};

async function readTrace(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code === "ENOENT") throw new KayaError("KAYA_NOT_FOUND", `there is no trace file ${path}`, { cause });
    throw new KayaError("KAYA_IO", `cannot read the trace ${path}: ${code}`, { cause });
  }
}
