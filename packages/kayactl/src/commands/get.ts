import { asText, jsonField, parseBytes, toHex, toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { escapeLines } from "../terminal/text.js";
import { withEngine } from "../with-engine.js";

interface GetOptions {
  readonly keyHex?: boolean;
  readonly raw?: boolean;
}

export const registerGet: Register = (program, execute) => {
  program
    .command("get")
    .summary("print the value of a key")
    .description(
      "Print the value of KEY and a line break. A key without a value prints NOT_FOUND, with exit code 2.",
    )
    .argument("<KEY>")
    .option("--key-hex", "KEY is given in hex")
    .option("--raw", "print the value's bytes exactly, with nothing added or escaped")
    .addHelpText(
      "after",
      `
A value that is not UTF-8 is shown as hex:00ff, and control characters in text as \\u001b. --raw prints the bytes
as they are; --json escapes them.

Examples:
  kayactl get user:1
  kayactl get photo --raw > photo.jpg`,
    )
    .action((key: string, options: GetOptions, command) =>
      execute(command.optsWithGlobals(), (context) => get(context, key, options)),
    );
};

export const registerCat: Register = (program, execute) => {
  program
    .command("cat")
    .summary("print the bytes of a value: get --raw")
    .description('Print the value of KEY byte for byte. The same as "kayactl get KEY --raw".')
    .argument("<KEY>")
    .option("--key-hex", "KEY is given in hex")
    .action((key: string, options: GetOptions, command) =>
      execute(command.optsWithGlobals(), (context) => get(context, key, { ...options, raw: true })),
    );
};

async function get(
  context: Context,
  key: string,
  { keyHex = false, raw = false }: GetOptions,
): Promise<number> {
  const keyBytes = parseBytes(key, "KEY", keyHex);
  const entry = await withEngine(context, (engine) => engine.getEntry(keyBytes), { readOnly: true });
  const { value, expiresAt } = entry;
  if (value === undefined) return notFound(context);
  if (raw) await context.out.bytes(value);
  else await printValue(context, keyBytes, value, expiresAt);
  return ExitCode.Ok;
}

async function printValue(
  { out, options }: Context,
  key: Uint8Array,
  value: Uint8Array,
  expiresAt: number | undefined,
): Promise<void> {
  if (options.json) {
    const expiry = expiresAt === undefined ? {} : { expiresAt };
    return out.line(toJson({ ...jsonField("key", key), ...jsonField("value", value), ...expiry }));
  }
  const text = asText(value);
  return out.line(text === undefined ? `hex:${toHex(value)}` : escapeLines(text));
}

async function notFound({ out, options }: Context): Promise<number> {
  await out.line(options.json ? toJson({ ok: false, code: "KAYA_NOT_FOUND" }) : "NOT_FOUND");
  return ExitCode.NotFound;
}
