import type { Engine } from "@kaya/engine";
import { NodeDisk } from "@kaya/io";
import { listQuarantine, type QuarantineFile } from "@kaya/wal";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { requireDataDir } from "../data-dir.js";
import { parseWholeNumber } from "../options.js";
import { columns } from "../terminal/columns.js";
import { escapeText } from "../terminal/text.js";
import { formatBytes } from "../units.js";
import { withEngine } from "../with-engine.js";

interface QuarantineOptions {
  readonly maxBytes?: number;
}

export const registerQuarantine: Register = (program, execute) => {
  program
    .command("quarantine")
    .summary("list what recoveries cut out of the log and kept")
    .description(
      "List the files in wal/quarantine/ in the order in which their bytes stood in the log. torn: an end that a crash left unfinished; " +
        "damage: bytes that no crash explains. Takes no lock and changes nothing; another process may have the directory open.",
    )
    .option(
      "--max-bytes <n>",
      "remove torn ends, oldest first, until at most N bytes of them are left; takes the lock",
      parseWholeNumber,
    )
    .addHelpText(
      "after",
      `
The newest torn end is never removed, nor is anything kept for damage: delete such a file by hand once you have looked
at it. A program does the same at each opening with wal.quarantineMaxBytes.

Examples:
  kayactl quarantine --data /var/lib/app
  kayactl quarantine --max-bytes 1000000
  kayactl quarantine --json | jq -r '.files[] | select(.kind == "damage").path'`,
    )
    .action(({ maxBytes }: QuarantineOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        if (maxBytes === undefined) await list(context);
        else await withEngine(context, (engine) => clean(context, engine, maxBytes));
        return ExitCode.Ok;
      }),
    );
};

async function list({ out, options }: Context): Promise<void> {
  await requireDataDir(options.data);
  const files = await listQuarantine(new NodeDisk(options.data));
  if (options.json) await out.line(toJson({ files }));
  else if (files.length === 0) await out.line("nothing is in quarantine");
  else for (const line of columns([HEAD, ...files.map(cells)], [0, HEAD.length - 1])) await out.line(line);
}

const HEAD = ["kind", "bytes", "file"];

function cells({ kind, bytes, path }: QuarantineFile): string[] {
  return [kind, formatBytes(bytes), escapeText(path)];
}

async function clean({ out, options }: Context, engine: Engine, maxBytes: number): Promise<void> {
  const { files, bytes } = await engine.cleanQuarantine({ maxBytes });
  await out.line(
    options.json
      ? toJson({ ok: true, filesRemoved: files, bytesRemoved: bytes })
      : `${out.colors.green("OK")} files_removed=${files} bytes_removed=${bytes}`,
  );
}
