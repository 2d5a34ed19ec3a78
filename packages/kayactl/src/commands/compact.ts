import type { Engine, KeyBounds } from "@kaya/engine";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { addKeyBounds, type KeyBoundsOptions, toKeyBounds } from "../range-options.js";
import { Interrupted, type OutputStream } from "../terminal/output.js";
import { ProgressLine } from "../terminal/progress-line.js";
import { type Shown, whileShown } from "../terminal/while-shown.js";
import { formatBytes, formatDuration } from "../units.js";
import { withEngine } from "../with-engine.js";

const LOOK_MS = 100;

export const registerCompact: Register = (program, execute) => {
  const command = program
    .command("compact")
    .summary("merge tables, so that overwritten and deleted entries take no room")
    .description(
      "Flush, then merge the tables that hold keys with this PREFIX and within these bounds, or all tables, down to the deepest level. An " +
        "interrupted compaction leaves the tables as they were.",
    )
    .argument("[PREFIX]");
  addKeyBounds(command)
    .addHelpText(
      "after",
      `
A program that has the directory open compacts by itself. This command needs disk space for the merged tables beside
the old ones.

Examples:
  kayactl compact --data /var/lib/app
  kayactl compact session: --json | jq '.before.bytes - .after.bytes'`,
    )
    .action((prefix: string | undefined, options: KeyBoundsOptions, self) =>
      execute(self.optsWithGlobals(), async (context) => {
        const bounds = toKeyBounds(prefix, options);
        const result = await withEngine(context, (engine) => compact(context, engine, bounds));
        const { before, after, writtenBytes } = result;
        const { out } = context;
        await out.line(
          context.options.json
            ? toJson({ ok: true, ...result })
            : `${out.colors.green("OK")} tables=${after.tables} bytes=${after.bytes} bytes_before=${before.bytes} bytes_written=${writtenBytes}`,
        );
        return ExitCode.Ok;
      }),
    );
};

interface Compacted {
  /** Once what was only in the log is in tables. */
  readonly before: { readonly tables: number; readonly bytes: number };
  readonly after: { readonly tables: number; readonly bytes: number };
  readonly writtenBytes: number;
  readonly durationMs: number;
}

async function compact(context: Context, engine: Engine, bounds: KeyBounds): Promise<Compacted> {
  const started = performance.now();
  await engine.flush();
  const before = sizeOf(engine);
  await whileShown<number, void>(
    context,
    (stream) => toShown(stream, before),
    async (onProgress) => {
      const compaction = engine.compact(bounds);
      compaction.catch(() => undefined); // one that was left alone ends when the engine is closed
      await withLooks(compaction, () => onProgress(engine.stats().tables.compactionWrittenBytes));
    },
  );
  const durationMs = Math.round((performance.now() - started) * 1000) / 1000;
  return {
    before,
    after: sizeOf(engine),
    writtenBytes: engine.stats().tables.compactionWrittenBytes,
    durationMs,
  };
}

/** Calls `look` again and again while the work lasts. Where that throws, the work is not waited for. */
function withLooks(work: Promise<void>, look: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      try {
        look();
      } catch (error) {
        clearInterval(timer);
        reject(error instanceof Error ? error : new Interrupted());
      }
    }, LOOK_MS);
    work.then(resolve, reject).finally(() => clearInterval(timer));
  });
}

/** Tables are counted once they are finished: until then only the time goes on. */
function toShown(stream: OutputStream, { bytes }: Compacted["before"]): Shown<number> {
  const line = new ProgressLine(stream);
  const describe = (written: number, elapsedMs: number) =>
    `compacting ${formatBytes(bytes)}: ${formatBytes(written)} written, ${formatDuration(elapsedMs)}`;
  return {
    update: (written) => line.update((elapsedMs) => describe(written, elapsedMs)),
    done: () => line.done(),
  };
}

function sizeOf(engine: Engine): Compacted["before"] {
  const { tables, bytes } = engine.stats().tables;
  return { tables, bytes };
}
