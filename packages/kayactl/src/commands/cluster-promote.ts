import type { LogHead, SharedLog } from "@kaya/cluster";
import { KayaError } from "@kaya/core";
import { toJson } from "../bytes.js";
import { addLogOptions, type LogOptions, withLog } from "../cluster/log-options.js";
import { notBegun } from "../cluster/survey.js";
import { waitForChange } from "../cluster/wait-for-change.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { parseDuration } from "../options.js";
import { Interrupted } from "../terminal/output.js";
import { escapeText } from "../terminal/text.js";
import { formatDuration } from "../units.js";

const DEFAULT_MS = 30_000;
/** The interval of looks without an announced change. */
const LOOK_MS = 250;

interface PromoteOptions extends LogOptions {
  readonly timeout: number;
}

interface Promotion {
  readonly before: LogHead;
  readonly after: LogHead;
  readonly ms: number;
}

export const registerClusterPromote: Register = (cluster, execute) => {
  const command = cluster
    .command("promote")
    .summary("make another node the writer")
    .description(
      "Ask NODE to become the writer, and wait until it accepts writes. The previous writer is fenced: it rejects all writes that it has not acknowledged " +
        "by then. No acknowledged write is lost. NODE may also be a node that only follows.",
    )
    .argument("NODE", 'the id of a present node ("kayactl cluster status" lists them)');
  addLogOptions(command)
    .option("--timeout <time>", "give up after this time (default: 30s)", parseDuration, DEFAULT_MS)
    .addHelpText(
      "after",
      `
Before you stop the machine of the writer, promote another node: writes then wait for milliseconds.

Example:
  kayactl cluster promote node-2 --etcd http://10.0.0.1:2379 --prefix /orders`,
    )
    .action((node: string, options: PromoteOptions, command) =>
      execute(command.optsWithGlobals(), (context) =>
        withLog(context, options, async (log) => {
          await print(context, node, await promote(context, log, node, options.timeout));
          return ExitCode.Ok;
        }),
      ),
    );
};

async function promote({ io }: Context, log: SharedLog, node: string, timeout: number): Promise<Promotion> {
  const started = performance.now();
  const [before, { nodes }] = await Promise.all([log.head(), log.members()]);
  if (before === undefined) throw notBegun(log);
  if (!nodes.some(({ id }) => id === node)) throw absent(log, node, nodes);
  if (await accepts(log, node, before)) return { before, after: before, ms: 0 };
  await log.want(node);
  try {
    const after = await waitForChange(log, {
      look: async () => {
        const head = await log.head();
        return head !== undefined && (await accepts(log, node, head)) ? head : undefined;
      },
      everyMs: LOOK_MS,
      timeoutMs: timeout,
      ...(io.signal !== undefined && { signal: io.signal }),
    });
    if (after === undefined) throw await notYet(log, node, timeout);
    return { before, after, ms: performance.now() - started };
  } catch (error) {
    // The request is withdrawn, so that the node does not become the writer later as a surprise.
    await log.want(undefined).catch(() => undefined); // the first error is reported
    throw io.signal?.aborted === true ? new Interrupted() : error;
  }
}

/** Whether the node claimed the log and has the role "writer": then it has replayed the log and accepts writes. */
async function accepts(log: SharedLog, node: string, { writer }: LogHead): Promise<boolean> {
  if (writer !== node) return false;
  const { nodes } = await log.members();
  return nodes.some(({ id, role }) => id === node && role === "writer");
}

function absent(log: SharedLog, node: string, nodes: readonly { readonly id: string }[]): KayaError {
  const there =
    nodes.length === 0 ? "no node is present" : `present nodes: ${nodes.map(({ id }) => id).join(", ")}`;
  return new KayaError(
    "KAYA_NOT_FOUND",
    `${log.name}: the node ${JSON.stringify(node)} is not present; ${there}`,
  );
}

async function notYet(log: SharedLog, node: string, timeout: number): Promise<KayaError> {
  const head = await log.head();
  const now =
    head?.writer === node
      ? `it claimed epoch ${head.epoch}, but has not replayed the log yet`
      : `the writer is ${head?.writer}, in epoch ${head?.epoch}`;
  return new KayaError(
    "KAYA_NOT_LEADER",
    `${log.name}: ${node} does not accept writes after ${formatDuration(timeout)}: ${now}. The request was withdrawn`,
    { leader: head?.address },
  );
}

async function print(
  { out, options }: Context,
  node: string,
  { before, after, ms }: Promotion,
): Promise<void> {
  if (options.json) {
    const brief = ({ writer, epoch, lsn }: LogHead) => ({ writer, epoch, lsn });
    await out.line(
      toJson({ ok: true, before: brief(before), after: brief(after), durationMs: Math.round(ms) }),
    );
    return;
  }
  const ok = out.colors.green("OK");
  if (after.version === before.version) {
    await out.line(`${ok} ${escapeText(node)} is the writer already, in epoch ${after.epoch}`);
    return;
  }
  await out.line(`before: ${escapeText(before.writer)}, epoch ${before.epoch}, LSN ${before.lsn}`);
  await out.line(
    `${ok} ${escapeText(node)} is the writer, epoch ${after.epoch}, LSN ${after.lsn}, after ${formatDuration(ms)}`,
  );
}
