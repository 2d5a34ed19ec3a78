import type { Engine, RangeOptions } from "@kaya/engine";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { type Exported, exportProgress } from "../export/export-progress.js";
import { jsonLines } from "../export/json-lines.js";
import { NewFile } from "../export/new-file.js";
import { addRange, type RangeScanOptions, toRange } from "../range-options.js";
import { escapeText } from "../terminal/text.js";
import { whileShown } from "../terminal/while-shown.js";
import { plural } from "../units.js";
import { withEngine } from "../with-engine.js";

interface ExportOptions extends RangeScanOptions {
  readonly out?: string;
  readonly force?: boolean;
}

/** Takes the text of an export. */
interface Target {
  write(text: string): Promise<void> | undefined;
}

export const registerExport: Register = (program, execute) => {
  const command = program
    .command("export")
    .summary("write entries as JSON lines, exactly")
    .description(
      "Write the entries whose keys begin with PREFIX, or all, as JSON lines: one document an entry, in the order of keys, all of one moment. " +
        "Takes no lock and changes nothing; another process may have the directory open.",
    )
    .argument("[PREFIX]");
  addRange(command)
    .option("--out <file>", "write this file; it gets its name once all of it is on stable storage")
    .option("--force", "replace the file of --out")
    .addHelpText(
      "after",
      `
A line has key, or keyHex where the key is not UTF-8; value or valueHex; and expiresAt (milliseconds since 1970)
where the value expires. "kayactl import" reads it. Entries of indexes are left out: a program builds its indexes anew.

Examples:
  kayactl export --out app.jsonl --data /var/lib/app
  kayactl export user: | gzip > users.jsonl.gz
  kayactl export --gte 2026-01 --lt 2026-02 | jq -r .key`,
    )
    .action((prefix: string | undefined, options: ExportOptions, self) =>
      execute(self.optsWithGlobals(), async (context) => {
        const range = toRange(prefix, options);
        await withEngine(
          context,
          (engine) =>
            options.out === undefined
              ? exportToOutput(context, engine, range)
              : exportToFile(context, engine, range, options.out, options.force === true),
          { readOnly: true },
        );
        return ExitCode.Ok;
      }),
    );
};

async function exportToOutput(context: Context, engine: Engine, range: RangeOptions): Promise<void> {
  const { out, err, options } = context;
  // A progress line between the lines of the export would be taken for one of them.
  const { entries } = out.isTty
    ? await exportTo(out, context, engine, range, () => undefined)
    : await whileShown<Exported, Exported>(context, exportProgress, (onProgress) =>
        exportTo(out, context, engine, range, onProgress),
      );
  await out.flush();
  if (err.isTty && !options.json) await err.line(plural(entries, "entry", "entries"));
}

async function exportToFile(
  context: Context,
  engine: Engine,
  range: RangeOptions,
  file: string,
  isForced: boolean,
): Promise<void> {
  const { out, options } = context;
  const target = await NewFile.create(file, "--out", isForced);
  try {
    const { entries } = await whileShown<Exported, Exported>(context, exportProgress, (onProgress) =>
      exportTo(target, context, engine, range, onProgress),
    );
    await target.finish();
    const { bytes } = target;
    await out.line(
      options.json
        ? toJson({ ok: true, entries, bytes, file })
        : `${out.colors.green("OK")} entries=${entries} bytes=${bytes} file=${escapeText(file)}`,
    );
  } finally {
    await target.discard();
  }
}

async function exportTo(
  target: Target,
  { io }: Context,
  engine: Engine,
  range: RangeOptions,
  onProgress: (exported: Exported) => void,
): Promise<Exported> {
  let [entries, bytes] = [0, 0];
  for await (const page of jsonLines(engine, range)) {
    io.signal?.throwIfAborted();
    for (const line of page.lines) {
      bytes += line.length;
      const writing = target.write(line);
      if (writing !== undefined) await writing;
    }
    entries += page.entries;
    onProgress({ entries, bytes });
  }
  return { entries, bytes };
}
