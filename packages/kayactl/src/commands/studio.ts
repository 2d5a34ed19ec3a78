import { InvalidArgumentError } from "commander";
import { ExitCode, type Register } from "../context.js";
import { requireDataDir } from "../data-dir.js";

const MOST_PORT = 65_535;

interface StudioOptions {
  readonly port: number;
  readonly write?: boolean;
}

export const registerStudio: Register = (program, execute) => {
  program
    .command("studio")
    .summary("look at the data in a browser")
    .description(
      "Serve a page on 127.0.0.1 to browse keys and values, follow changes, and see the log and the tables. It only reads, also while another " +
        "process has the directory open, unless --write is given. Ctrl-C ends it.",
    )
    .option("--port <n>", "listen on this port (default: one that is free)", parsePort, 0)
    .option("--write", "take the lock, and let the page change values")
    .addHelpText(
      "after",
      `
Open the address that it prints: it lets one browser in, once. Another user of this machine gets nothing without it.

Examples:
  kayactl studio --data /var/lib/app
  kayactl studio --write --port 4000`,
    )
    .action(({ port, write = false }: StudioOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        await requireDataDir(context.options.data);
        const { serveReading, serveWriting } = await import("../studio/serve.js"); // large: only where it is used
        if (write) await serveWriting(context, port);
        else await serveReading(context, port);
        return ExitCode.Ok;
      }),
    );
};

/** For commander. */
function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= MOST_PORT) return port;
  throw new InvalidArgumentError(`It must be a port from 0 to ${MOST_PORT}; 0 is any that is free.`);
}
