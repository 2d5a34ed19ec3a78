import { toJson } from "../bytes.js";
import { ExitCode, type Register } from "../context.js";
import { requireDataDir } from "../data-dir.js";
import { escapeText } from "../terminal/text.js";

export const registerClusterLeave: Register = (cluster, execute) => {
  cluster
    .command("leave")
    .summary("make a node's directory an ordinary store again")
    .description(
      "Make DIR, the directory of a node or of a follower, an ordinary store. Any program may then open it for writing, and it no longer follows the log. " +
        "It keeps all its data. The log and the other nodes do not change. Close the node first. Nothing happens to an " +
        "ordinary store.",
    )
    .argument("DIR", "the directory")
    .addHelpText(
      "after",
      `
Example:
  kayactl cluster leave /var/lib/orders && kayactl put user:1 Ada --data /var/lib/orders`,
    )
    .action((dir: string, _options: object, command) =>
      execute(command.optsWithGlobals(), async ({ out, options }) => {
        await requireDataDir(dir);
        const { leaveCluster, readReplicaMarker } = await import("@kaya/engine/replica");
        const isReplica = (await readReplicaMarker(dir)) !== undefined;
        await leaveCluster(dir);
        const said = isReplica ? "" : " (not a replica: nothing was changed)";
        await out.line(
          options.json
            ? toJson({ ok: true, dir, hasLeft: isReplica })
            : `${out.colors.green("OK")} dir=${escapeText(dir)}${said}`,
        );
        return ExitCode.Ok;
      }),
    );
};
