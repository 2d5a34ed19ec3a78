import type { SharedLog } from "@kaya/cluster";
import { KayaError } from "@kaya/core";
import { toJson } from "../bytes.js";
import { addLogOptions, type LogOptions, withLog } from "../cluster/log-options.js";
import { type ClusterLook, surveyCluster } from "../cluster/survey.js";
import { clusterLine, clusterLines } from "../cluster/survey-text.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { parseSeconds, repeat } from "../terminal/repeat.js";
import { escapeText } from "../terminal/text.js";

const DEFAULT_SECONDS = 1;

interface StatusOptions extends LogOptions {
  readonly watch?: number | true;
}

export const registerClusterStatus: Register = (cluster, execute) => {
  const command = cluster
    .command("status")
    .summary("show who writes, who follows, and how far each node is")
    .description(
      "Show the log's epoch, writer, last LSN, tail and base, and the present nodes, as etcd has them. The position of a node is that of its last report, " +
        "about a second ago. Changes nothing. Exit code 1 means that no node accepts writes.",
    );
  addLogOptions(command)
    .option("--watch [seconds]", "repeat at this interval (default: 1 second) until Ctrl-C", parseSeconds)
    .addHelpText(
      "after",
      `
Examples:
  kayactl cluster status --etcd http://10.0.0.1:2379,http://10.0.0.2:2379 --prefix /orders
  KAYA_ETCD_PASSWORD=... kayactl cluster status --user kaya --cacert ca.pem --watch
  kayactl cluster status --json | jq '.nodes[] | {id, role, lag}'`,
    )
    .action((options: StatusOptions, command) =>
      execute(command.optsWithGlobals(), (context) =>
        withLog(context, options, async (log) => {
          if (options.watch === undefined) return printOnce(context, log);
          await watchCluster(context, log, options.watch === true ? DEFAULT_SECONDS : options.watch);
          return ExitCode.Ok;
        }),
      ),
    );
};

async function printOnce({ io, out, options }: Context, log: SharedLog): Promise<number> {
  const look = await surveyCluster(log, io.signal);
  if (options.json) await out.line(toJson(look));
  else for (const line of clusterLines(look, out.colors)) await out.line(line);
  return look.findings.some(({ level }) => level === "problem") ? ExitCode.Failed : ExitCode.Ok;
}

/** A failed look. The watch continues, because etcd may be unreachable only for a while. */
interface NoLook {
  readonly code: string;
  readonly message: string;
}

async function watchCluster(context: Context, log: SharedLog, seconds: number): Promise<void> {
  const { colors } = context.out;
  await repeat<ClusterLook | NoLook>(context, seconds, {
    title: log.name,
    look: () => surveyCluster(log, context.io.signal).catch(noLook),
    lines: (look) =>
      "code" in look
        ? [`${colors.red("problem:")} ${look.code}: ${escapeText(look.message)}`]
        : clusterLines(look, colors),
    line: (look) => ("code" in look ? `error=${look.code}` : clusterLine(look)),
  });
}

/** @throws each error that another look cannot fix */
function noLook(error: unknown): NoLook {
  if (!KayaError.is(error, "KAYA_NO_MAJORITY") && !KayaError.is(error, "KAYA_NOT_FOUND")) throw error;
  return { code: error.code, message: error.message };
}
