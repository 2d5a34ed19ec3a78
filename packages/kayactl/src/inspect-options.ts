import { type Command, Option } from "commander";
import { invalid } from "./bytes.js";
import { type LsnRange, parseKeyPrefix, parseLsnRange, RecordFilter } from "./record-filter.js";

/** Options of `inspect wal`. */
export interface InspectOptions {
  readonly lsn?: LsnRange;
  readonly key?: string;
  readonly hex?: boolean;
  readonly records?: boolean;
  readonly summary?: boolean;
  readonly html?: string;
  readonly force?: boolean;
}

export function addInspectOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--lsn <a..b>", "only records from LSN A to B (also A.., ..B and A)").argParser(
        parseLsnRange,
      ),
    )
    .option(
      "--key <prefix>",
      "only records with a key that begins so (text, or hex:00ff), or that delete a range of such keys",
    )
    .option("--hex", "with the bytes of each record")
    .option("--records", "a line a record, however many a directory has")
    .option("--summary", "the figures alone, of a file too")
    .option("--html <file>", "write all of it as one page for a browser")
    .option("--force", "let --html replace a file that is no such page");
}

/** @throws KayaError KAYA_INVALID_ARGUMENT for options that contradict each other */
export function recordFilter({ lsn, key, hex, records, summary, html, force }: InspectOptions): RecordFilter {
  if (summary && (records || hex))
    throw invalid(`--summary and ${records ? "--records" : "--hex"} exclude each other`);
  if (html === undefined && force) throw invalid("--force belongs to --html");
  if (html !== undefined && (lsn !== undefined || key !== undefined || hex || records || summary)) {
    throw invalid("--html shows all of a log: it goes without --lsn, --key, --hex, --records and --summary");
  }
  return new RecordFilter(lsn, key === undefined ? undefined : parseKeyPrefix(key));
}
