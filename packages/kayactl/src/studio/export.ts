import type { ServerResponse } from "node:http";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { KeyValue } from "@kaya/engine";
import { entryJson } from "../export/json-lines.js";
import { pagesOf } from "../pages.js";
import { SECURITY_HEADERS } from "./answers.js";
import { RANGE_PARAMETERS, readBounds } from "./key-range.js";
import type { Parameters } from "./parameters.js";
import type { Reading } from "./reading.js";
import { badRequest } from "./refusal.js";
import { type RowRequest, rangesOf } from "./rows.js";

export const EXPORT_PARAMETERS: readonly string[] = [...RANGE_PARAMETERS, "reverse", "format"];

const CHUNK_CHARACTERS = 64 * 1024;

type ExportRequest = Omit<RowRequest, "limit">;

/** @throws Refusal */
export function readExportRequest(parameters: Parameters): ExportRequest {
  if ((parameters.text("format") ?? "jsonl") !== "jsonl") throw badRequest("format must be jsonl");
  return {
    bounds: readBounds(parameters),
    isReverse: parameters.flag("reverse"),
    isInternal: parameters.flag("internal"),
  };
}

/**
 * Sends a range as JSON lines, as fast as they are taken. Where it fails in between the connection breaks off: what came is not taken for all.
 * Rejects as reads do, and where the page has gone.
 */
export async function sendExport(
  response: ServerResponse,
  reading: Reading,
  request: ExportRequest,
  dataDir: string,
): Promise<void> {
  const name = basename(dataDir).replace(/[^A-Za-z0-9_-]/g, "_") || "data";
  response.writeHead(200, {
    ...SECURITY_HEADERS,
    "content-type": "application/jsonl; charset=utf-8",
    "content-disposition": `attachment; filename="${name}.jsonl"`,
  });
  await pipeline(Readable.from(chunksOf(reading, request)), response);
}

async function* chunksOf(reading: Reading, request: ExportRequest): AsyncGenerator<string, void> {
  for (const range of rangesOf(request)) {
    for await (const page of pagesOf(reading, range)) yield* chunksOfPage(page);
  }
}

function* chunksOfPage(page: readonly KeyValue[]): Generator<string, void> {
  let lines: string[] = [];
  let characters = 0;
  for (const entry of page) {
    const line = `${entryJson(entry)}\n`;
    lines.push(line);
    characters += line.length;
    if (characters < CHUNK_CHARACTERS) continue;
    yield lines.join("");
    [lines, characters] = [[], 0];
  }
  if (lines.length > 0) yield lines.join("");
}
