import type { BlobStore, Replication } from "@kaya/cluster";
import type { Engine } from "@kaya/engine";
import { InvalidArgumentError, Option } from "commander";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { openStore, STORE_HELP } from "../replica/store-address.js";
import { Interrupted } from "../terminal/output.js";
import { parseSeconds, repeat } from "../terminal/repeat.js";
import { escapeText } from "../terminal/text.js";
import { formatDuration, plural } from "../units.js";
import { warn, withEngine } from "../with-engine.js";

const DEFAULT_SECONDS = 1;
const DEFAULT_KEEP_HOURS = 24;
const MOST_HOURS = 1_000_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

interface ReplicateOptions {
  readonly follow?: boolean;
  readonly interval?: number;
  readonly keep?: number;
}

/** The position of a replica. */
interface Progress {
  readonly lsn: number;
  /** In ISO 8601. */
  readonly time: string;
  readonly lagRecords: number;
  readonly lagMs: number;
  readonly trouble?: string;
}

export const registerReplicate: Register = (program, execute) => {
  program
    .command("replicate")
    .summary("ship the data to another place, where any of its states can be restored")
    .description(
      "Ship everything that STORE does not have yet: new tables, and the log after them. With --follow, continue until Ctrl-C. kayactl restore builds a directory from it, " +
        "with the newest state or that of any record of the last --keep hours.",
    )
    .argument("STORE", "where to")
    .option("--follow", "continue to ship until Ctrl-C")
    .addOption(
      new Option(
        "--interval <seconds>",
        `with --follow: seconds between two shipments (default: ${DEFAULT_SECONDS})`,
      ).argParser(parseSeconds),
    )
    .addOption(
      new Option(
        "--keep <hours>",
        `how long earlier states can be restored (default: ${DEFAULT_KEEP_HOURS})`,
      ).argParser(parseHours),
    )
    .addHelpText(
      "after",
      `${STORE_HELP}

It takes no lock and changes nothing here, so it may run beside the program that has the directory open. Then it ships what that program may
still lose in a power cut, and begins a new history whenever a flush dropped log that it had not seen. replicate() of @kaya/cluster in that
program has neither limit.

Examples:
  kayactl replicate /mnt/copy --data /var/lib/app
  kayactl replicate --follow s3://backups/app --data /var/lib/app`,
    )
    .action((address: string, options: ReplicateOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const store = await openStore(address);
        try {
          await withEngine(context, (engine) => ship(context, engine, store, options), { readOnly: true });
        } finally {
          await store.close?.();
        }
        return ExitCode.Ok;
      }),
    );
};

async function ship(
  context: Context,
  engine: Engine,
  store: BlobStore,
  { follow = false, interval = DEFAULT_SECONDS, keep = DEFAULT_KEEP_HOURS }: ReplicateOptions,
): Promise<void> {
  const { replicate } = await import("@kaya/cluster");
  const intervalMs = follow ? Math.round(interval * 1000) : DAY_MS;
  const replica = await replicate(engine, store, { intervalMs, keepMs: Math.round(keep * HOUR_MS) });
  replica.on("generation", (_, why) => void warn(context, `a new history begins: ${why}`));
  let failure: unknown;
  try {
    if (follow) await showProgress(context, replica, store, interval);
    else await replica.sync();
  } catch (error) {
    failure = error;
  }
  await replica.close().catch((error: unknown) => {
    failure ??= error;
  });
  if (failure !== undefined) throw failure;
  if (!follow) await printPosition(context, replica, store);
}

async function printPosition(
  { out, options }: Context,
  replica: Replication,
  store: BlobStore,
): Promise<void> {
  const { lsn, sequence, time, generation } = replica.position as NonNullable<Replication["position"]>;
  await out.line(
    options.json
      ? toJson({ ok: true, lsn, sequence, time: toIso(time), generation, store: store.name })
      : `${out.colors.green("OK")} lsn=${lsn} time=${toIso(time)} store=${escapeText(store.name)}`,
  );
}

async function showProgress(
  context: Context,
  replica: Replication,
  store: BlobStore,
  seconds: number,
): Promise<void> {
  await repeat<Progress>(context, seconds, {
    title: `shipped to ${store.name}`,
    look: async () => {
      if (replica.failure !== undefined) throw replica.failure;
      if (context.io.signal?.aborted) throw new Interrupted();
      const { lsn = 0, time = 0 } = replica.position ?? {};
      const { records, ms } = replica.lag;
      const trouble = replica.trouble?.message;
      return {
        lsn,
        time: toIso(time),
        lagRecords: records,
        lagMs: Math.round(ms),
        ...(trouble && { trouble }),
      };
    },
    lines: (look) => [progressLine(look)],
    line: progressLine,
  });
}

function progressLine({ lsn, time, lagRecords, lagMs, trouble }: Progress): string {
  const lag = lagRecords === 0 ? "" : `, ${plural(lagRecords, "record")} behind for ${formatDuration(lagMs)}`;
  return `through LSN ${lsn}, ${time}${lag}${trouble === undefined ? "" : ` (${escapeText(trouble)})`}`;
}

function toIso(time: number): string {
  return new Date(time).toISOString();
}

function parseHours(text: string): number {
  const hours = Number(text);
  if (/^\d*\.?\d+$/.test(text) && hours <= MOST_HOURS) return hours;
  throw new InvalidArgumentError(`It must be a number of hours from 0 to ${MOST_HOURS}.`);
}
