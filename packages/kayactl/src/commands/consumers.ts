import { type ConsumerLook, type Engine, KayaError, lookAtConsumers } from "@kaya/engine";
import { NodeDisk } from "@kaya/io";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { requireDataDir } from "../data-dir.js";
import { columns } from "../terminal/columns.js";
import { escapeText } from "../terminal/text.js";
import { formatBytes, formatCount } from "../units.js";
import { withEngine } from "../with-engine.js";

interface ConsumersOptions {
  readonly remove?: string;
}

export const registerConsumers: Register = (program, execute) => {
  program
    .command("consumers")
    .summary("list the consumers that the log is kept for")
    .description(
      "List the registered consumers of changes: the LSN that each has acknowledged, how much of the log is kept for it, and whether the " +
        "next change for it is still in the log. Takes no lock and changes nothing; another process may have the directory open.",
    )
    .option("--remove <name>", "remove this consumer, and the log that only it needed; takes the lock")
    .addHelpText(
      "after",
      `
A consumer that never comes back keeps its log, up to changes.maxKeptLogBytes. A consumer that was removed and comes
back is new: it reads all data again.

Examples:
  kayactl consumers --data /var/lib/app
  kayactl consumers --remove search-index
  kayactl consumers --json | jq -r '.consumers[] | select(.keptLogBytes > 100e6).name'`,
    )
    .action(({ remove }: ConsumersOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        if (remove === undefined) await list(context);
        else await withEngine(context, (engine) => removeConsumer(context, engine, remove));
        return ExitCode.Ok;
      }),
    );
};

async function list({ out, options }: Context): Promise<void> {
  const { data, maxRecordBytes } = options;
  await requireDataDir(data);
  const limit = maxRecordBytes === undefined ? {} : { maxRecordBytes };
  const consumers = await lookAtConsumers(new NodeDisk(data), limit);
  if (options.json) await out.line(toJson({ consumers }));
  else if (consumers.length === 0) await out.line("no consumers");
  else
    for (const line of columns([HEAD, ...consumers.map(cells)], [0, HEAD.length - 1])) await out.line(line);
}

const HEAD = ["name", "LSN", "log kept", "next change"];

function cells({ name, lsn, keptLogBytes, isTruncated }: ConsumerLook): string[] {
  const next = isTruncated ? "not in the log any more" : "in the log";
  return [escapeText(name), formatCount(lsn), formatBytes(keptLogBytes), next];
}

async function removeConsumer({ out, options }: Context, engine: Engine, name: string): Promise<void> {
  const before = engine.stats().wal.bytes;
  if (!(await engine.removeConsumer(name))) {
    const message = `there is no consumer ${JSON.stringify(name)} in ${options.data}: \`kayactl consumers\` lists them`;
    throw new KayaError("KAYA_NOT_FOUND", message);
  }
  const logBytesDropped = before - engine.stats().wal.bytes;
  await out.line(
    options.json
      ? toJson({ ok: true, name, logBytesDropped })
      : `${out.colors.green("OK")} removed=${escapeText(name)} log_bytes_dropped=${logBytesDropped}`,
  );
}
