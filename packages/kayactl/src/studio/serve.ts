import { once } from "node:events";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Engine } from "@kaya/engine";
import { toJson } from "../bytes.js";
import type { Context } from "../context.js";
import { recoveryWarnings, warn, withEngine, withProgress } from "../with-engine.js";
import { readPageFiles } from "./page-files.js";
import { ReaderStore, readOnlyConfig } from "./reader-store.js";
import { StudioServer } from "./server.js";
import type { StudioStore } from "./store.js";
import { WriterStore } from "./writer-store.js";

const PAGE_DIRECTORY = fileURLToPath(new URL(".", import.meta.url));

/** Serves a store that the page may change, until it is interrupted. */
export function serveWriting(context: Context, port: number): Promise<void> {
  const serveEngine = async (engine: Engine) =>
    serve(context, await WriterStore.of(context.options, engine), port);
  return withEngine(context, serveEngine, { runsOn: true });
}

/** Serves a store that is only read, until it is interrupted. */
export async function serveReading(context: Context, port: number): Promise<void> {
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
