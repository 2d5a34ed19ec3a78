import { Help } from "commander";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import type { Finding, FindingLevel } from "../doctor/finding.js";
import type { Colors } from "../terminal/output.js";
import { escapeText, padEnd } from "../terminal/text.js";
import { plural } from "../units.js";

const LEVELS: readonly FindingLevel[] = ["problem", "warning", "note", "ok"];

export const registerDoctor: Register = (program, execute) => {
  program
    .command("doctor")
    .summary("find problems of the machine, the disk and the data directory")
    .description(
      "Look at the file system, measure fsync in a temporary directory beside the data, and check space, owners, lock, clock, versions, limits and the log. " +
        "Takes no lock and changes nothing in the store; another process may have it open. A directory that is not there yet is looked at as the place " +
        "where it would be made.",
    )
    .addHelpText(
      "after",
      `
Each line is ok, a note, a warning (expect trouble) or a problem (writes are refused, or acknowledged data can be lost).
Exit code 1 where there is a problem. It does not read the tables: "kayactl verify" does.

Examples:
  kayactl doctor --data /var/lib/app
  kayactl doctor --json | jq -r '.findings[] | select(.level != "ok") | .advice'`,
    )
    .action((_options: object, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const { examine } = await import("../doctor/examine.js"); // large: only where it is used
        const findings = await examine(context);
        const hasProblem = findings.some(({ level }) => level === "problem");
        const { out, options } = context;
        if (options.json) await out.line(toJson({ ok: !hasProblem, dataDir: options.data, findings }));
        else await print(context, findings);
        return hasProblem ? ExitCode.Failed : ExitCode.Ok;
      }),
    );
};

async function print({ out }: Context, findings: readonly Finding[]): Promise<void> {
  const levelWidth = Math.max(...LEVELS.map(({ length }) => length));
  const checkWidth = Math.max(...findings.map(({ check }) => check.length));
  const indent = " ".repeat(levelWidth + checkWidth + 4);
  const lines = (text: string) =>
    out.isTty
      ? new Help().boxWrap(escapeText(text), out.columns - indent.length).split("\n")
      : [escapeText(text)];
  for (const { level, check, found, advice } of findings) {
    const head = `${colored(out.colors, level)(padEnd(level, levelWidth))}  ${padEnd(check, checkWidth)}  `;
    const [first = "", ...rest] = lines(found);
    await out.line(`${head}${first}`);
    for (const line of rest) await out.line(`${indent}${line}`);
    for (const line of advice === undefined ? [] : lines(advice))
      await out.line(`${indent}${out.colors.dim(line)}`);
  }
  await out.line(summary(findings));
}

function summary(findings: readonly Finding[]): string {
  const counts = LEVELS.filter((level) => level !== "ok").flatMap((level) => {
    const count = findings.filter((finding) => finding.level === level).length;
    return count === 0 ? [] : [plural(count, level)];
  });
  return counts.length === 0 ? "No trouble found." : `${counts.join(", ")}.`;
}

function colored({ green, cyan, yellow, red }: Colors, level: FindingLevel): (text: string) => string {
  return { ok: green, note: cyan, warning: yellow, problem: red }[level];
}
