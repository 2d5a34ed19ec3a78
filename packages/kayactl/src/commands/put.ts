import type { PutOptions as EngineOptions } from "@kaya/engine";
import { Option } from "commander";
import { invalid, parseBytes, parseHex } from "../bytes.js";
import { ExitCode, type Io, type Register } from "../context.js";
import { parseDuration, parseMoment } from "../options.js";
import { Interrupted } from "../terminal/output.js";
import { withEngine } from "../with-engine.js";
import { printWrite } from "./write-result.js";

interface PutOptions {
  readonly keyHex?: boolean;
  readonly valueHex?: boolean;
  readonly ttl?: number;
  readonly expiresAt?: number;
}

// The engine's limit on values; twice as many digits, and some white space, in hex.
const MAX_STDIN_BYTES = 64 * 1024 * 1024;

export const registerPut: Register = (program, execute) => {
  program
    .command("put")
    .alias("set")
    .summary("store a value under a key")
    .description(
      "Store VALUE under KEY, in place of an earlier value. Creates the data directory if it is absent.",
    )
    .argument("<KEY>")
    .argument("<VALUE>", "the value; - reads it from standard input, byte for byte")
    .option("--key-hex", "KEY is given in hex")
    .option("--value-hex", "VALUE is given in hex (white space in standard input is ignored)")
    .addOption(
      new Option("--ttl <time>", "the value expires after this time: 500ms, 90s, 15m, 12h or 30d").argParser(
        parseDuration,
      ),
    )
    .addOption(
      new Option(
        "--expires-at <moment>",
        "the value expires at this moment: a date, or milliseconds since 1970",
      )
        .argParser(parseMoment)
        .conflicts("ttl"),
    )
    .addHelpText(
      "after",
      `
Examples:
  kayactl put user:1 Ada
  kayactl put session:1 Ada --ttl 30m
  kayactl put photo - < photo.jpg
  kayactl put --key-hex --value-hex 00ff cafe
  kayactl put -- --strange-key --strange-value`,
    )
    .action((key: string, value: string, options: PutOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const keyBytes = parseBytes(key, "KEY", options.keyHex === true);
        const valueBytes =
          value === "-"
            ? await readValue(context.io, options.valueHex === true)
            : parseBytes(value, "VALUE", options.valueHex === true);
        const given = { ...expiryIn(options), durability: context.options.durability };
        const result = await withEngine(context, (engine) => engine.put(keyBytes, valueBytes, given), {
          create: true,
        });
        await printWrite(context, result);
        return ExitCode.Ok;
      }),
    );
};

function expiryIn({ ttl, expiresAt }: PutOptions): EngineOptions {
  return { ...(ttl !== undefined && { ttlMs: ttl }), ...(expiresAt !== undefined && { expiresAt }) };
}

async function readValue(io: Io, isHex: boolean): Promise<Uint8Array> {
  const bytes = await readAll(io);
  return isHex ? parseHex(Buffer.from(bytes).toString("latin1").replace(/\s+/g, ""), "VALUE") : bytes;
}

async function readAll({ stdin = process.stdin, stderr, signal }: Io): Promise<Uint8Array> {
  if (stdin.isTTY === true) stderr.write("reading the value from the terminal: end it with Ctrl-D\n");
  const chunks: Uint8Array[] = [];
  let length = 0;
  const interrupted = new Promise<never>((_, reject) => {
    if (signal?.aborted) reject(new Interrupted());
    signal?.addEventListener("abort", () => reject(new Interrupted()), { once: true });
  });
  interrupted.catch(() => undefined); // where nobody waits any more
  const read = async () => {
    for await (const chunk of stdin) {
      chunks.push(Buffer.from(chunk));
      length += chunk.length;
      if (length > MAX_STDIN_BYTES)
        throw invalid(`VALUE is over ${MAX_STDIN_BYTES} bytes: too much for one value`);
    }
    return Buffer.concat(chunks);
  };
  return Promise.race([read(), interrupted]);
}
