import { KayaError } from "@kaya/core";
import { type CheckpointDirectory, lookSteadily, type RecoveryReport } from "@kaya/engine";
import { NodeDisk } from "@kaya/io";
import { formatWarning, isDamage } from "@kaya/wal";
import { toJson } from "../bytes.js";
import { listCheckpointFiles, notesOn } from "../checkpoint-files.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { type DamageSurvey, surveyDamage } from "../damage.js";
import { requireDataDir } from "../data-dir.js";
import { dryRun } from "../dry-run.js";
import { table } from "../output.js";
import { reportRows, speaksOfDamage, withoutRecords } from "../report.js";
import { escapeText } from "../text.js";
import { formatBytes, formatCount, formatDuration } from "../units.js";

/** What a recovery would do. */
type Verdict =
  | { readonly action: "none" | "cut" | "quarantine"; readonly report: RecoveryReport }
  | { readonly action: "refuse"; readonly error: KayaError };

interface Verification {
  readonly isClean: boolean;
  readonly verdict: Verdict;
  readonly survey: DamageSurvey;
  readonly checkpoints: CheckpointDirectory;
}

export const registerVerify: Register = (program, execute) => {
  program
    .command("verify")
    .summary("check every byte of the checkpoint and the log, changing nothing")
    .description(
      "Read the newest checkpoint and the whole log, check every checksum and every rule, list all damage with its file " +
        "and offset, and say what a recovery would do. Takes no lock, writes nothing. Exit code 3 where anything is damaged; " +
        "never-written space at the end, what a crash left of a checkpoint, and files that are not ours are no damage.",
    )
    .addHelpText(
      "after",
      `
A process that writes at the same time may be in the middle of a record: then the end looks torn.

Examples:
  kayactl verify && echo the log is whole
  kayactl verify --recovery absolute --json`,
    )
    .action((_options: object, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        await requireDataDir(context.options.data);
        const verification = await lookSteadily(
          new NodeDisk(context.options.data),
          () => examine(context),
          ({ isClean }) => !isClean,
        );
        if (context.options.json) await context.out.line(toJson(asJson(verification)));
        else await print(context, verification);
        return verification.isClean ? ExitCode.Ok : ExitCode.Damaged;
      }),
    );
};

async function examine(context: Context): Promise<Verification> {
  const verdict = await judge(context);
  const seemsClean = verdict.action !== "refuse" && !speaksOfDamage(verdict.report);
  const checkpoints = await listCheckpointFiles(context.options.data);
  // A recovery does not read the segments that the checkpoint covers: their damage is nobody's but the consumers' of changes.
  const isAllRead = seemsClean && verdict.report.coveredSegments === 0;
  const survey = isAllRead ? { found: [], count: 0 } : await surveyDamage(context, checkpoints);
  return { isClean: seemsClean && survey.count === 0, verdict, survey, checkpoints };
}

async function judge(context: Context): Promise<Verdict> {
  try {
    const report = await dryRun(context);
    const movesSegments = report.warnings.some(({ kind }) => kind === "TrailingSegmentsIgnored");
    const action = movesSegments ? "quarantine" : report.truncatedBytes > 0 ? "cut" : "none";
    return { action, report };
  } catch (error) {
    if (!KayaError.is(error, "KAYA_CORRUPTION")) throw error;
    return { action: "refuse", error };
  }
}

function asJson({ isClean, verdict, survey, checkpoints }: Verification): object {
  const damage = survey.found.map(({ segment, warning }) => ({ segment, ...warning }));
  const { older, leftovers, unknown } = checkpoints;
  const checkpointFiles = { older: older.map(({ path }) => path), leftovers, unknown };
  const head = { ok: isClean, action: verdict.action, damageCount: survey.count, damage, checkpointFiles };
  if (verdict.action === "refuse")
    return { ...head, code: verdict.error.code, message: verdict.error.message };
  return { ...head, ...withoutRecords(verdict.report) };
}

async function print(
  { out, options }: Context,
  { isClean, verdict, survey: { found, count }, checkpoints }: Verification,
): Promise<void> {
  const { bold, green, red, yellow } = out.colors;
  const note = async (texts: readonly string[]) => {
    for (const text of texts) await out.line(`${yellow("note:")} ${escapeText(text)}`);
  };
  await out.line(`${bold(isClean ? green("CLEAN") : red("DAMAGED"))} ${escapeText(options.data)}`);
  for (const { segment, warning } of found) {
    await out.line(red(escapeText(`  ${segment}: ${formatWarning(warning)}`)));
  }
  if (count > found.length) await out.line(`  and ${formatCount(count - found.length)} more like these`);
  if (verdict.action === "refuse") {
    await out.line(`A recovery (--recovery ${options.recovery}) would refuse:`);
    await out.line(`  ${escapeText(verdict.error.message)}`);
    await note(notesOn(checkpoints));
    return;
  }
  const { report } = verdict;
  await out.line(table([...reportRows(report), ["took", formatDuration(report.durationMs)]]));
  const harmless = report.warnings.filter((each) => !isDamage(each));
  await note([...notesOn(checkpoints), ...harmless.map(formatWarning)]);
  if (!isClean)
    await out.line(
      `A recovery (--recovery ${options.recovery}) would ${whatItDoes(verdict.action, report)}.`,
    );
}

function whatItDoes(action: "none" | "cut" | "quarantine", report: RecoveryReport): string {
  const bytes = formatBytes(report.truncatedBytes);
  if (action === "none") return "change nothing";
  if (action === "quarantine")
    return `stop at the first damage and move the ${bytes} from there on to wal/quarantine/`;
  const isTorn = report.warnings.some(({ kind }) => kind === "PartialHeader" || kind === "PartialPayload");
  return isTorn
    ? `cut ${bytes} from the end: a write that a crash, or a look at a log in use, caught unfinished`
    : `cut ${bytes} from the end and keep a copy of them in wal/quarantine/`;
}
