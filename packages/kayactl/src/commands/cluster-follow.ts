import type { BlobStore, ClusterEngine } from "@kaya/cluster";
import { KayaError } from "@kaya/core";
import { toJson } from "../bytes.js";
import { addLogOptions, type LogOptions, openLog } from "../cluster/log-options.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { refuseFile } from "../data-dir.js";
import { engineConfig } from "../options.js";
import { openStore, STORE_HELP } from "../replica/store-address.js";
import { parseSeconds, repeat } from "../terminal/repeat.js";
import { escapeText } from "../terminal/text.js";
import { orInterrupted } from "../terminal/until-interrupted.js";
import { formatCount, formatDuration, plural } from "../units.js";

const TERMINAL_SECONDS = 1;
const PIPE_SECONDS = 10;

interface FollowOptions extends LogOptions {
  readonly every?: number;
  readonly once?: boolean;
  readonly nodeId?: string;
  readonly blobs?: string;
}

/** The position of a follower. */
interface Progress {
  readonly dir: string;
  readonly lsn: number;
  /** LSN of the log's last known record. */
  readonly headLsn: number;
  /** The number of records that the directory does not have yet. */
  readonly lagRecords: number;
  /** How long it has been behind. */
  readonly lagMs: number;
  readonly epoch: number;
}

export const registerClusterFollow: Register = (cluster, execute) => {
  const command = cluster
    .command("follow")
    .summary("keep a directory up to date with the log")
    .description(
      "Copy the log into DIR as it grows, until Ctrl-C. The copy is behind by milliseconds. If the log was trimmed, it begins with the base " +
        "(--blobs). A later run continues where this one ended. It never becomes the writer by itself.",
    )
    .argument("DIR", "the directory: absent, empty, or from an earlier run");
  addLogOptions(command)
    .option("--once", "end as soon as it has all records that the log had at the beginning")
    .option(
      "--every <seconds>",
      "seconds between two reports (default: 1 on a terminal, otherwise 10)",
      parseSeconds,
    )
    .option("--node-id <name>", "the id of this node (default: a random one)")
    .option("--blobs <store>", "the blob store of the nodes, where the bases are")
    .addHelpText(
      "after",
      `${STORE_HELP}

Read it meanwhile from other processes: any command of kayactl that takes no lock (get, scan, export, studio), or
Engine.open({ dataDir, readOnly: true }). "kayactl cluster leave DIR" makes it an ordinary store.

Examples:
  kayactl cluster follow /var/lib/orders-copy --etcd http://10.0.0.1:2379 --prefix /orders
  kayactl cluster follow --once ./copy && kayactl scan --data ./copy`,
    )
    .action((dir: string, options: FollowOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        await refuseFile(dir);
        await follow(context, dir, options);
        return ExitCode.Ok;
      }),
    );
};

async function follow(context: Context, dir: string, options: FollowOptions): Promise<void> {
  const blobs = options.blobs === undefined ? undefined : await openStore(options.blobs);
  try {
    await followWith(context, dir, options, blobs);
  } finally {
    await blobs?.close?.();
  }
}

async function followWith(
  context: Context,
  dir: string,
  options: FollowOptions,
  blobs: BlobStore | undefined,
): Promise<void> {
  const node = await openFollower(context, dir, options, blobs);
  let failure: unknown;
  try {
    if (options.once === true) await catchUp(context, node, dir);
    else await showProgress(context, node, dir, options.every);
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    await node.close().catch((error: unknown) => {
      if (failure === undefined) throw error; // otherwise the first error is reported
    });
  }
}

async function openFollower(
  context: Context,
  dir: string,
  options: FollowOptions,
  blobStore: BlobStore | undefined,
): Promise<ClusterEngine> {
  const { nodeId } = options;
  const { ClusterEngine } = await import("@kaya/cluster"); // large, so it is only loaded when it is used
  // The command keeps running, so the engine flushes and compacts by itself, as in a program.
  const { tables: _tables, durability: _durability, ...config } = engineConfig(context.options);
  return ClusterEngine.open({
    ...config,
    dataDir: dir,
    log: await openLog(context, options),
    role: "follower",
    ...(nodeId !== undefined && { nodeId }),
    ...(blobStore !== undefined && { blobStore }),
  });
}

/** Follows up to the record that was the log's last one when the command began. */
async function catchUp({ io, out, options }: Context, node: ClusterEngine, dir: string): Promise<void> {
  await orInterrupted(node.catchUp(), io.signal);
  const { lsn, epoch } = progressOf(node, dir);
  await out.line(
    options.json
      ? toJson({ ok: true, dir, lsn, epoch })
      : `${out.colors.green("OK")} lsn=${lsn} epoch=${epoch} dir=${escapeText(dir)}`,
  );
}

async function showProgress(
  context: Context,
  node: ClusterEngine,
  dir: string,
  every: number | undefined,
): Promise<void> {
  const { out, err, options } = context;
  if (options.json !== true) {
    await err.line(
      `note: other processes can read it now with "kayactl scan --data ${escapeText(dir)}", or readOnly`,
    );
    await err.flush();
  }
  await repeat(context, every ?? (out.isTty ? TERMINAL_SECONDS : PIPE_SECONDS), {
    title: `${dir} follows the log`,
    look: async () => progressOf(node, dir),
    lines: ({ lsn, headLsn, lagRecords, lagMs, epoch }) => [
      `LSN ${formatCount(lsn)} of ${formatCount(headLsn)}, epoch ${epoch}`,
      lagRecords === 0
        ? "level with the log"
        : `${plural(lagRecords, "record")}, ${formatDuration(lagMs)} behind`,
    ],
    line: ({ lsn, headLsn, lagRecords, lagMs, epoch }) =>
      `lsn=${lsn} head_lsn=${headLsn} lag_records=${lagRecords} lag_ms=${Math.round(lagMs)} epoch=${epoch}`,
  });
}

/** @throws KayaError if the node failed: then it does not follow any more */
function progressOf(node: ClusterEngine, dir: string): Progress {
  const { role, lsn, headLsn, lagRecords, lagMs, epoch, lastTrouble } = node.stats().cluster;
  if (role === "failed")
    throw (
      node.failure ??
      lastTrouble ??
      new KayaError("KAYA_INTERNAL", `${dir} has stopped following for an unknown reason`)
    );
  return { dir, lsn, headLsn, lagRecords, lagMs, epoch };
}
