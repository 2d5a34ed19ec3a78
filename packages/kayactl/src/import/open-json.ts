import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { KayaError } from "@kaya/core";
import { invalid } from "../bytes.js";
import type { Io } from "../context.js";
import type { ImportSource } from "./import-source.js";
import { JsonSource } from "./json-source.js";

const CHUNK_BYTES = 256 * 1024;

/** A character of a text takes at most six in JSON; names and an expiry come beside them. */
const JSON_FACTOR = 6;
const FIELD_BYTES = 1024;

/**
 * Lines of a file, or of standard input where it is "-".
 * @param maxEntryBytes most bytes of a key and its value
 * @throws KayaError KAYA_NOT_FOUND, KAYA_INVALID_ARGUMENT, KAYA_IO
 */
export async function openJson(
  file: string,
  { stdin = process.stdin, stderr }: Io,
  maxEntryBytes: number,
): Promise<ImportSource> {
  const maxLineBytes = JSON_FACTOR * maxEntryBytes + FIELD_BYTES;
  if (file === "-") {
    if (stdin.isTTY === true) stderr.write("reading JSON lines from the terminal: end them with Ctrl-D\n");
    return new JsonSource(stdin, { name: "standard input", maxLineBytes });
  }
  const info = await stat(file).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") throw new KayaError("KAYA_NOT_FOUND", `there is no file ${file}`, { cause });
    throw new KayaError("KAYA_IO", `cannot read ${file}: ${cause.code ?? cause.message}`, { cause });
  });
  if (info.isDirectory())
    throw invalid(
      `${file} is a directory: give a file of JSON lines; a LevelDB directory is --from-level ${file}, one of lmdb --from-lmdb ${file}`,
    );
  return new JsonSource(createReadStream(file, { highWaterMark: CHUNK_BYTES }), {
    name: file,
    totalBytes: info.isFile() ? info.size : undefined,
    maxLineBytes,
  });
}
