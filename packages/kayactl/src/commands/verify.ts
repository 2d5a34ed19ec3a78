import { KayaError } from "@kaya/core";
import { type EntriesReport, lookSteadily, type RecoveryReport } from "@kaya/engine";
import { NodeDisk } from "@kaya/io";
import type { TreeVerification } from "@kaya/lsm";
import { formatWarning, isDamage } from "@kaya/wal";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { requireDataDir } from "../data-dir.js";
import {
  indexesJson,
  indexRows,
  NO_INDEXES,
  problemJson,
  problemLine,
  surveyIndexes,
} from "../index-survey.js";
import { type DamageSurvey, surveyDamage } from "../inspect/damage.js";
import { dryRun } from "../inspect/dry-run.js";
import { notesOn, surveyTables, type TableSurvey } from "../inspect/table-damage.js";
import { tryToLookAtTables } from "../inspect/tables-look.js";
import { reportRows, speaksOfDamage, withoutRecords } from "../report.js";
import { table } from "../terminal/columns.js";
import { escapeText } from "../terminal/text.js";
import { formatBytes, formatCount, formatDuration } from "../units.js";

/** What a recovery would do. */
type Verdict =
  | { readonly action: "none" | "cut" | "quarantine"; readonly report: RecoveryReport }
  | { readonly action: "refuse"; readonly error: KayaError };

interface LogVerification {
  readonly isClean: boolean;
  readonly verdict: Verdict;
  readonly survey: DamageSurvey;
}

interface Verification extends LogVerification {
  readonly tables: TableSurvey;
  readonly indexes: EntriesReport;
  readonly durationMs: number;
}

export const registerVerify: Register = (program, execute) => {
  program
    .command("verify")
    .summary("check every byte of the data directory, changing nothing")
    .description(
      "Read the manifest, every block of every table, and the whole log. Check every checksum and every rule, list all damage with its file " +
        "and offset, and say what a recovery would do. If all is whole, compare secondary indexes with their rows. Takes no lock and " +
        "writes nothing. Exit code 3 means damage. Never-written space at the end, files that a crash left and no manifest names, and " +
        "files of other programs are no damage.",
    )
    .addHelpText(
      "after",
      `
If another process writes meanwhile, the end of the log may look torn.

Examples:
  kayactl verify && echo all of it is whole
  kayactl verify --recovery absolute --json`,
    )
    .action((_options: object, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        await requireDataDir(context.options.data);
        const verification = await verify(context);
        if (context.options.json) await context.out.line(toJson(asJson(verification)));
        else await print(context, verification);
        return verification.isClean ? ExitCode.Ok : ExitCode.Damaged;
      }),
    );
};

async function verify(context: Context): Promise<Verification> {
  const started = performance.now();
  const log = await lookSteadily(
    new NodeDisk(context.options.data),
    () => examineLog(context),
    ({ isClean }) => !isClean,
  );
  const tables = await surveyTables(context);
  const isWhole = log.isClean && tables.count === 0;
  const indexes = isWhole ? await surveyIndexes(context) : NO_INDEXES;
  return {
    ...log,
    isClean: isWhole && indexes.problemCount === 0,
    tables,
    indexes,
    durationMs: performance.now() - started,
  };
}

async function examineLog(context: Context): Promise<LogVerification> {
  const verdict = await judge(context);
  const seemsClean = verdict.action !== "refuse" && !speaksOfDamage(verdict.report);
  // A recovery does not read the segments that the tables cover: their damage is nobody's but the consumers' of changes.
  const isAllRead = seemsClean && verdict.report.coveredSegments === 0;
  const survey = isAllRead
    ? { found: [], count: 0 }
    : await surveyDamage(context, await coveredLsn(context, verdict));
  return { isClean: seemsClean && survey.count === 0, verdict, survey };
}

async function coveredLsn({ options }: Context, verdict: Verdict): Promise<number> {
  if (verdict.action !== "refuse") return verdict.report.tables.covered.lsn;
  const look = await tryToLookAtTables(options.data);
  return look instanceof KayaError ? 0 : look.coveredLsn;
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

function asJson({ isClean, verdict, survey, tables, indexes, durationMs }: Verification): object {
  const head = {
    ok: isClean,
    action: verdict.action,
    damageCount: survey.count + tables.count + indexes.problemCount,
    damage: [
      ...tables.found,
      ...survey.found.map(({ segment, warning }) => ({ segment, ...warning })),
      ...indexes.problems.map(problemJson),
    ],
    indexes: indexesJson(indexes),
    tree: tables.tree === undefined ? null : treeJson(tables.tree),
  };
  if (verdict.action === "refuse")
    return { ...head, code: verdict.error.code, message: verdict.error.message };
  return { ...head, ...withoutRecords({ ...verdict.report, durationMs }) };
}

function treeJson({ manifest, tables, orphans, warnings }: TreeVerification): object {
  return { manifest, ...sumOf(tables), orphans, warnings };
}

function sumOf(tables: TreeVerification["tables"]): { tables: number; blocks: number; bytes: number } {
  const sum = { tables: tables.length, blocks: 0, bytes: 0 };
  for (const { blocks, bytes } of tables) {
    sum.blocks += blocks;
    sum.bytes += bytes;
  }
  return sum;
}

async function print(
  { out, options }: Context,
  { isClean, verdict, survey, tables, indexes, durationMs }: Verification,
): Promise<void> {
  const { bold, green, red, yellow } = out.colors;
  await out.line(`${bold(isClean ? green("CLEAN") : red("DAMAGED"))} ${escapeText(options.data)}`);
  const found = [
    ...tables.found.map(({ path, offset, message }) => `${path}: offset ${offset}: ${message}`),
    ...survey.found.map(({ segment, warning }) => `${segment}: ${formatWarning(warning)}`),
    ...indexes.problems.map(problemLine),
  ];
  for (const line of found) await out.line(red(escapeText(`  ${line}`)));
  const more = survey.count + tables.count + indexes.problemCount - found.length;
  if (more > 0) await out.line(`  and ${formatCount(more)} more like these`);
  if (verdict.action === "refuse") {
    await out.line(`A recovery (--recovery ${options.recovery}) would refuse:`);
    await out.line(`  ${escapeText(verdict.error.message)}`);
  } else {
    const { report } = verdict;
    await out.line(
      table([
        ...blockRows(tables),
        ...reportRows(report),
        ...indexRows(indexes),
        ["took", formatDuration(durationMs)],
      ]),
    );
  }
  const harmless =
    verdict.action === "refuse" ? [] : verdict.report.warnings.filter((each) => !isDamage(each));
  for (const text of [...(tables.tree ? notesOn(tables.tree) : []), ...harmless.map(formatWarning)])
    await out.line(`${yellow("note:")} ${escapeText(text)}`);
  if (isClean || verdict.action === "refuse") return;
  if (indexes.problemCount > 0) {
    await out.line(
      "The rows are whole, but something wrote them without their indexes. Raise the `version` of the index in the program: it is then built again.",
    );
    return;
  }
  await out.line(`A recovery (--recovery ${options.recovery}) would ${whatItDoes(verdict, tables)}.`);
  if (tables.count > 0 && !tables.isTornAlone)
    await out.line(
      "A recovery does not read the blocks of tables. Entries in a damaged block cannot be read, and its table is not compacted. Restore the directory from a backup.",
    );
}

/** A row only where there are tables. */
function blockRows({ tree }: TableSurvey): [name: string, value: string][] {
  if (tree === undefined || tree.tables.length === 0) return [];
  const { blocks, bytes } = sumOf(tree.tables);
  return [["whole blocks", `${formatCount(blocks)}, ${formatBytes(bytes)}`]];
}

function whatItDoes(
  { action, report }: Exclude<Verdict, { readonly action: "refuse" }>,
  { isTornAlone }: TableSurvey,
): string {
  const torn = isTornAlone ? "leave out the last edit of the manifest, which was never durable" : undefined;
  const log = whatItDoesToTheLog(action, report);
  if (torn === undefined) return log ?? "change nothing";
  return log === undefined ? torn : `${torn}, and ${log}`;
}

/** Undefined where that is nothing. */
function whatItDoesToTheLog(
  action: "none" | "cut" | "quarantine",
  report: RecoveryReport,
): string | undefined {
  const bytes = formatBytes(report.truncatedBytes);
  if (action === "none") return undefined;
  if (action === "quarantine")
    return `stop at the first damage and move the ${bytes} from there on to wal/quarantine/`;
  const isTorn = report.warnings.some(({ kind }) => kind === "PartialHeader" || kind === "PartialPayload");
  return isTorn
    ? `cut ${bytes} from the end: an unfinished write, which a crash left or another process has not ended yet`
    : `cut ${bytes} from the end and keep a copy of them in wal/quarantine/`;
}
