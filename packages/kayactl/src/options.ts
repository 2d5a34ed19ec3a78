import type { DurabilityMode, PartialEngineConfig, RecoveryMode } from "@kaya/core";
import { type Command, InvalidArgumentError, Option } from "commander";

/** Options that every command knows, before or after its name. */
export interface GlobalOptions {
  readonly data: string;
  readonly durability: DurabilityMode;
  readonly recovery: RecoveryMode;
  readonly json?: boolean;
  readonly maxRecordBytes?: number;
  readonly lock: boolean;
  readonly allowForeignFiles?: boolean;
  readonly color: boolean;
}

const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;

export function addGlobalOptions(program: Command): void {
  program
    .addOption(new Option("--data <dir>", "the data directory (default: ./data)").default("./data"))
    .addOption(new Option("--json", "print one compact JSON document instead of text"))
    .addOption(
      new Option("--durability <mode>", "strict (default): a write waits for the disk; relaxed: it does not")
        .choices(["strict", "relaxed"])
        .default("strict"),
    )
    .addOption(
      new Option(
        "--recovery <mode>",
        "how an opening treats damage in the log. tail (default): cut an unfinished end, refuse other damage; prefix: keep the log before " +
          "the first damage; absolute: refuse any damage",
      )
        .choices(["tail", "prefix", "absolute"])
        .default("tail"),
    )
    .addOption(
      new Option("--max-record-bytes <n>", "read a log with records over 32 MiB").argParser(parseWholeNumber),
    )
    .addOption(
      new Option("--no-lock", "take no lock, where the platform has none: two writers destroy the log"),
    )
    .addOption(
      new Option("--allow-foreign-files", "create a store in a directory that holds files of other programs"),
    )
    .addOption(
      new Option("--no-color", "print no colours (also: NO_COLOR=1; FORCE_COLOR=1 prints them to a pipe)"),
    );
}

export function engineConfig(options: GlobalOptions): PartialEngineConfig {
  const { data, durability, recovery, maxRecordBytes, lock, allowForeignFiles = false } = options;
  return {
    dataDir: data,
    durability,
    disableLocking: !lock,
    allowForeignFiles,
    // What begins by itself would be ended by the close that follows a command's only write.
    tables: { autoFlush: false, autoCompact: false },
    wal: {
      recovery,
      ...(maxRecordBytes !== undefined && {
        maxRecordBytes,
        segmentMaxBytes: Math.max(maxRecordBytes, DEFAULT_SEGMENT_BYTES),
      }),
    },
  };
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** For commander: a time as `90s`, in milliseconds. */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(count) * UNITS[unit as keyof typeof UNITS];
  if (Number.isSafeInteger(ms) && ms >= 1) return ms;
  throw new InvalidArgumentError("It must be a time such as 500ms, 90s, 15m, 12h or 30d.");
}

/** For commander: a moment, in milliseconds since 1970. */
export function parseMoment(text: string): number {
  const moment = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isSafeInteger(moment) && moment >= 1) return moment;
  throw new InvalidArgumentError(
    "It must be a date such as 2030-01-31T12:00Z, or milliseconds since 1970, from 1 on.",
  );
}

/** For commander: a whole number >= 0. */
export function parseWholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError("It must be a whole number >= 0.");
  }
  return value;
}
