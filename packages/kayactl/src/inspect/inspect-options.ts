import { type Command, Option } from "commander";
import { invalid } from "../bytes.js";
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
      "only records with a key that begins so (text, or hex:00ff), or that delete a range with such keys",
    )
    .option("--hex", "also print the bytes of each record")
    .option("--records", "one line per record, however many there are")
    .option("--summary", "only the totals, for a file too")
    .option("--html <file>", "draw all of the log as one page for a browser")
    .option("--force", "let --html replace a file that is not such a page");
}

/** @throws KayaError KAYA_INVALID_ARGUMENT for options that contradict each other */
export function recordFilter({ lsn, key, hex, records, summary, html, force }: InspectOptions): RecordFilter {
  if (summary && (records || hex))
    throw invalid(`--summary and ${records ? "--records" : "--hex"} exclude each other`);
  if (html === undefined && force) throw invalid("--force needs --html");
  if (html !== undefined && (lsn !== undefined || key !== undefined || hex || records || summary)) {
    throw invalid(
      "--html draws all of a log: it cannot be combined with --lsn, --key, --hex, --records or --summary",
    );
  }
  return new RecordFilter(lsn, key === undefined ? undefined : parseKeyPrefix(key));
}
