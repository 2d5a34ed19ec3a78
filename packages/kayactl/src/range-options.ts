import type { KeyBounds, RangeOptions } from "@kaya/engine";
import type { Command } from "commander";
import { parseBytes } from "./bytes.js";
import { parseWholeNumber } from "./options.js";

/** Options that say which keys a command is about. */
export interface KeyBoundsOptions {
  readonly keyHex?: boolean;
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
}

/** The same, with a direction and a limit. */
export interface RangeScanOptions extends KeyBoundsOptions {
  readonly limit?: number;
  readonly reverse?: boolean;
}

const BOUNDS = ["gt", "gte", "lt", "lte"] as const;

export function addKeyBounds(command: Command): Command {
  return command
    .option("--gt <key>", "only keys after this one")
    .option("--gte <key>", "this key and those after it")
    .option("--lt <key>", "only keys before this one")
    .option("--lte <key>", "this key and those before it")
    .option("--key-hex", "PREFIX and the bounds are given in hex");
}

export function addRange(command: Command): Command {
  command
    .option("--limit <n>", "at most so many entries", parseWholeNumber)
    .option("--reverse", "from the last key to the first");
  return addKeyBounds(command);
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function toRange(prefix: string | undefined, options: RangeScanOptions): RangeOptions {
  const { reverse = false, limit } = options;
  return { ...toKeyBounds(prefix, options), reverse, ...(limit !== undefined && { limit }) };
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function toKeyBounds(prefix: string | undefined, options: KeyBoundsOptions): KeyBounds {
  const isHex = options.keyHex === true;
  const bounds: { -readonly [K in keyof KeyBounds]: KeyBounds[K] } = {};
  if (prefix !== undefined) bounds.prefix = parseBytes(prefix, "PREFIX", isHex);
  for (const bound of BOUNDS) {
    const given = options[bound];
    if (given !== undefined) bounds[bound] = parseBytes(given, `--${bound}`, isHex);
  }
  return bounds;
}
