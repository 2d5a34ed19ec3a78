import { readdir } from "node:fs/promises";
import { KayaError, resolveEngineConfig } from "@kaya/core";
import { invalid, toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { definedIndexes, EntryCheck } from "../import/entry-check.js";
import { addImportOptions, type ImportCommandOptions, openSource } from "../import/import-options.js";
import { type Imported, importProgress } from "../import/import-progress.js";
import type { ImportSource } from "../import/import-source.js";
import { Importer, type ImportTarget } from "../import/importer.js";
import { NewStore } from "../import/new-store.js";
import { engineConfig } from "../options.js";
import { escapeText } from "../terminal/text.js";
import { untilInterrupted } from "../terminal/until-interrupted.js";
import { whileShown } from "../terminal/while-shown.js";
import { formatCount } from "../units.js";
import { closeAfter, withEngine } from "../with-engine.js";

export const registerImport: Register = (program, execute) => {
  const command = program
    .command("import")
    .summary("write entries from JSON lines, or from another store")
    .description(
      "Write the entries of FILE, JSON lines as export makes them (- reads standard input), or those of a LevelDB, LMDB or SQLite database. Makes the " +
        "data directory if it is absent. A key that has a value gets the new value. If an entry is refused, all entries before it stay imported: correct " +
        "it and import again.",
    )
    .argument("[FILE]");
  addImportOptions(command)
    .addHelpText(
      "after",
      `
A line has key or keyHex, value or valueHex, and expiresAt (milliseconds since 1970) where the value expires. Packages of other
stores are looked for from the current directory: "npm install lmdb" there. Their keys and values are copied byte for byte.

Examples:
  kayactl import app.jsonl --data /var/lib/app
  gunzip -c users.jsonl.gz | kayactl import - --skip-existing
  kayactl import --from-level ./leveldb
  kayactl import --from-lmdb ./lmdb --db users
  kayactl import --from-sqlite app.db --table kv --key-column key --value-column value`,
    )
    .action((file: string | undefined, options: ImportCommandOptions, self) =>
      execute(self.optsWithGlobals(), async (context) => {
        if (file === "-" && context.session !== undefined)
          throw invalid(
            "standard input is the shell's own: give import a FILE, or run it outside of the shell",
          );
        const { limits } = resolveEngineConfig(engineConfig(context.options));
        const source = await openSource(file, options, context.io, limits.maxKeyBytes + limits.maxValueBytes);
        try {
          await importFrom(context, source, options);
        } finally {
          await source.close();
        }
        return ExitCode.Ok;
      }),
    );
};

async function importFrom(
  context: Context,
  source: ImportSource,
  options: ImportCommandOptions,
): Promise<void> {
  const isDry = options.dryRun === true;
  const importer = (await isNew(context))
    ? await importIntoNew(context, source, options)
    : await withEngine(
        context,
        (engine) =>
          importInto(context, source, { engine, open: isDry ? undefined : async () => engine }, options),
        { create: !isDry, readOnly: isDry, runsOn: true },
      );
  await tellNotes(context, source);
  await printSummary(context, importer, isDry);
}

/** Whether the data directory is absent or empty. */
async function isNew({ session, options: { data } }: Context): Promise<boolean> {
  if (session?.isOf(data)) return false; // the shell has it open
  return readdir(data).then(
    (names) => names.length === 0,
    (cause: NodeJS.ErrnoException) => cause.code === "ENOENT", // the opening tells any other reason
  );
}

function importIntoNew(
  context: Context,
  source: ImportSource,
  options: ImportCommandOptions,
): Promise<Importer> {
  if (options.dryRun === true)
    return importInto(context, source, { engine: undefined, open: undefined }, options);
  const store = new NewStore(context, options.pastIndexes === true);
  return closeAfter(store, () => importInto(context, source, store, options));
}

async function importInto(
  context: Context,
  source: ImportSource,
  target: ImportTarget,
  { dryRun = false, skipExisting = false, pastIndexes = false, ttl }: ImportCommandOptions,
): Promise<Importer> {
  const config = resolveEngineConfig(engineConfig(context.options));
  const indexes = target.engine === undefined || pastIndexes ? [] : await definedIndexes(target.engine);
  const importer = new Importer(source, target, {
    check: new EntryCheck(config, indexes),
    skipExisting,
    expiresAt: ttl === undefined ? undefined : Date.now() + ttl,
    maxRecordBytes: config.wal.maxRecordBytes,
    now: Date.now,
  });
  try {
    await whileShown<Imported, void>(context, importProgress, (onProgress) =>
      addAll(context, source, importer, onProgress),
    );
    return importer;
  } catch (error) {
    await importer.settle();
    if (dryRun) throw error;
    const durable = durableText(source, importer.durablePlace);
    if (context.io.signal?.aborted) await context.err.line(`interrupted: ${durable}`);
    throw KayaError.is(error)
      ? new KayaError(error.code, `${error.message.replace(/\.$/, "")}. ${durable}`, { cause: error })
      : error;
  }
}

async function addAll(
  { io }: Context,
  source: ImportSource,
  importer: Importer,
  onProgress: (imported: Imported) => void,
): Promise<void> {
  for await (const page of untilInterrupted(source.pages(), io.signal)) {
    await importer.add(page);
    const { entries } = importer.counts;
    onProgress({ entries, readBytes: source.readBytes, totalBytes: source.totalBytes });
  }
  await importer.finish();
}

/** What of a broken import is there. */
function durableText({ unit }: ImportSource, place: number): string {
  const units = unit === "entry" ? "entries" : `${unit}s`;
  if (place === 0) return "Nothing was imported";
  const which = place === 1 ? `The first ${unit} is` : `The first ${formatCount(place)} ${units} are`;
  return `${which} imported and durable. You can import all of it again: the result is the same`;
}

async function tellNotes({ err }: Context, { notes }: ImportSource): Promise<void> {
  for (const note of notes) await err.line(`${err.colors.yellow("note:")} ${escapeText(note)}`);
}

async function printSummary({ out, options }: Context, { counts }: Importer, isDry: boolean): Promise<void> {
  const { entries, written, skipped, expired, bytes } = counts;
  await out.line(
    options.json
      ? toJson({ ok: true, dryRun: isDry, entries, written, skipped, expired, bytes })
      : `${out.colors.green(isDry ? "DRY RUN" : "OK")} entries=${entries} written=${written} skipped=${skipped} expired=${expired} bytes=${bytes}`,
  );
}
