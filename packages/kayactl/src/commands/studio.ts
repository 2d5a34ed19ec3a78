import { once } from "node:events";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Engine } from "@kaya/engine";
import { InvalidArgumentError } from "commander";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { requireDataDir } from "../data-dir.js";
import { readPageFiles } from "../studio/page-files.js";
import { ReaderStore, readOnlyConfig } from "../studio/reader-store.js";
import { StudioServer } from "../studio/server.js";
import type { StudioStore } from "../studio/store.js";
import { WriterStore } from "../studio/writer-store.js";
import { recoveryWarnings, warn, withEngine, withProgress } from "../with-engine.js";

const PAGE_DIRECTORY = fileURLToPath(new URL("../studio/", import.meta.url));
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
        if (write) await serveWriting(context, port);
        else await serveReading(context, port);
        return ExitCode.Ok;
      }),
    );
};

function serveWriting(context: Context, port: number): Promise<void> {
  const serveEngine = async (engine: Engine) =>
    serve(context, await WriterStore.of(context.options, engine), port);
  return withEngine(context, serveEngine, { runsOn: true });
}

async function serveReading(context: Context, port: number): Promise<void> {
  const config = readOnlyConfig(context.options);
  const engine = await withProgress(context, (onProgress) => Engine.open(config, undefined, { onProgress }));
  const store = new ReaderStore(context.options, engine);
  try {
    for (const warning of recoveryWarnings(engine)) await warn(context, warning);
    await serve(context, store, port);
  } finally {
    await store.close();
  }
}

/** Until it is interrupted. */
async function serve({ io, out, options }: Context, store: StudioStore, port: number): Promise<void> {
  const dataDir = resolve(options.data);
  const files = await readPageFiles(PAGE_DIRECTORY);
  const show = async (address: string) => {
    await out.line(options.json ? toJson({ address, dataDir }) : address);
    await out.flush();
  };
  const server = await StudioServer.listen({
    store,
    dataDir,
    files,
    port,
    onAddress: (address) => void show(address).catch(() => undefined), // nobody reads it any more
  });
  try {
    if (io.signal === undefined) await new Promise(() => undefined);
    else if (!io.signal.aborted) await once(io.signal, "abort");
  } finally {
    await server.close();
  }
}

/** For commander. */
function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= MOST_PORT) return port;
  throw new InvalidArgumentError(`It must be a port from 0 to ${MOST_PORT}; 0 is any that is free.`);
}
