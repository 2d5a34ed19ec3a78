import type { BlobStore, RestoreProgress } from "@kaya/cluster";
import { Option } from "commander";
import { invalid, toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { parseWholeNumber } from "../options.js";
import { openStore, STORE_HELP } from "../replica/store-address.js";
import { columns } from "../terminal/columns.js";
import { shownAs } from "../terminal/progress-line.js";
import { escapeText } from "../terminal/text.js";
import { whileShown } from "../terminal/while-shown.js";
import { formatBytes } from "../units.js";

interface RestoreOptions {
  readonly lsn?: number;
  readonly time?: number;
  readonly generation?: string;
  readonly list?: boolean;
}

export const registerRestore: Register = (program, execute) => {
  program
    .command("restore")
    .summary("build a data directory from a replica")
    .description(
      "Build DIR with the newest state in STORE, or with that of an LSN or a time. DIR must be absent or empty, or a directory in which a " +
        "restore was killed. All data is verified. An interrupted restore leaves nothing that can be opened. With --list, only show what can be restored.",
    )
    .argument("STORE", "where from")
    .argument("[DIR]", "the directory to build")
    .addOption(new Option("--lsn <n>", "the last record to include").argParser(parseWholeNumber))
    .addOption(
      new Option(
        "--time <iso>",
        "the newest state that was shipped by this time, such as 2026-11-29T12:00:00Z",
      )
        .argParser(parseTime)
        .conflicts("lsn"),
    )
    .option(
      "--generation <id>",
      "the history to restore from, as --list --json names it; default: the newest",
    )
    .addOption(new Option("--list", "list what can be restored").conflicts(["lsn", "time", "generation"]))
    .addHelpText(
      "after",
      `${STORE_HELP}

Examples:
  kayactl restore --list s3://backups/app
  kayactl restore /mnt/copy ./app-now
  kayactl restore s3://backups/app ./app-before --time 2026-11-29T12:00:00Z`,
    )
    .action((address: string, dir: string | undefined, options: RestoreOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        if ((options.list === true) === (dir !== undefined)) throw invalid("give DIR, or --list");
        const store = await openStore(address);
        try {
          if (dir === undefined) await printList(context, store);
          else await build(context, store, dir, options);
        } finally {
          await store.close?.();
        }
        return ExitCode.Ok;
      }),
    );
};

async function build(
  context: Context,
  store: BlobStore,
  dataDir: string,
  { lsn, time, generation }: RestoreOptions,
): Promise<void> {
  const { restore } = await import("@kaya/cluster");
  const { signal } = context.io;
  const wanted = {
    ...(lsn !== undefined && { lsn }),
    ...(time !== undefined && { time }),
    ...(generation !== undefined && { generation }),
  };
  const result = await whileShown<RestoreProgress, Awaited<ReturnType<typeof restore>>>(
    context,
    shownAs(describeProgress),
    (onProgress) => restore(store, { dataDir, ...wanted, onProgress, ...(signal && { signal }) }),
  );
  const { out, options } = context;
  const { base, durationMs, ...rest } = result;
  const iso = new Date(result.time).toISOString();
  await out.line(
    options.json
      ? toJson({
          ok: true,
          ...rest,
          time: iso,
          baseLsn: base.lsn,
          durationMs: Math.round(durationMs * 1000) / 1000,
        })
      : `${out.colors.green("OK")} lsn=${result.lsn} time=${iso} tables=${result.tables} records=${result.recordCount} dir=${escapeText(dataDir)}`,
  );
}

async function printList({ out, options, io }: Context, store: BlobStore): Promise<void> {
  const { listRestorable } = await import("@kaya/cluster");
  const generations = await listRestorable(store, { ...(io.signal && { signal: io.signal }) });
  const at = ({ lsn, time }: { readonly lsn: number; readonly time: number }) => ({
    lsn,
    time: new Date(time).toISOString(),
  });
  const rows = generations.map(({ first, last, ...rest }) => ({ ...rest, first: at(first), last: at(last) }));
  if (options.json) await out.line(toJson({ generations: rows }));
  else
    for (const line of columns(
      [
        ["LSN", "shipped", "through LSN", "shipped", "bases", "by"],
        ...rows.map(({ first, last, bases, by }) => [
          String(first.lsn),
          first.time,
          String(last.lsn),
          last.time,
          String(bases),
          escapeText(by),
        ]),
      ],
      [1, 3, 5],
    ))
      await out.line(line);
}

function describeProgress({ tableBytes, totalTableBytes, lsn, targetLsn }: RestoreProgress): string {
  return `restore: ${formatBytes(tableBytes)} of ${formatBytes(totalTableBytes)} of tables, LSN ${lsn} of ${targetLsn}`;
}

function parseTime(text: string): number {
  const time = Date.parse(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(time)) return time;
  throw invalid(`--time must be a time such as 2026-11-29T12:00:00Z, not ${JSON.stringify(text)}`);
}
