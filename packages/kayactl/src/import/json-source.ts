import { KayaError } from "@kaya/core";
import { invalid } from "../bytes.js";
import { type ImportEntry, type ImportSource, placeIn } from "./import-source.js";
import { entryOfLine, NotAnEntry } from "./json-entry.js";

const LINE_FEED = 0x0a;
const BYTE_ORDER_MARK = Buffer.from("\ufeff");

export interface JsonSourceOptions {
  readonly name: string;
  readonly totalBytes?: number | undefined;
  /** A longer line holds no entry that a store could take. */
  readonly maxLineBytes: number;
}

/** The entries in lines of JSON. Empty lines are passed over, and a byte order mark at the beginning. */
export class JsonSource implements ImportSource {
  readonly unit = "line";
  readonly name: string;
  readonly totalBytes: number | undefined;
  readonly notes: readonly string[] = [];
  readonly #chunks: AsyncIterable<Uint8Array | string>;
  readonly #maxLineBytes: number;
  #readBytes = 0;
  #lines = 0;

  constructor(
    chunks: AsyncIterable<Uint8Array | string>,
    { name, totalBytes, maxLineBytes }: JsonSourceOptions,
  ) {
    this.#chunks = chunks;
    this.name = name;
    this.totalBytes = totalBytes;
    this.#maxLineBytes = maxLineBytes;
  }

  get readBytes(): number {
    return this.#readBytes;
  }

  /** The stream ends with its reading. */
  async close(): Promise<void> {}

  async *pages(): AsyncGenerator<readonly ImportEntry[], void> {
    for await (const lines of this.#lineGroups()) {
      const page: ImportEntry[] = [];
      try {
        for (const line of lines) this.#read(line, page);
      } catch (error) {
        yield page; // what stands before the bad line
        throw error;
      }
      yield page;
    }
  }

  #read(line: Uint8Array, into: ImportEntry[]): void {
    this.#lines++;
    const isMarked = this.#lines === 1 && BYTE_ORDER_MARK.equals(line.subarray(0, BYTE_ORDER_MARK.length));
    try {
      const entry = entryOfLine(isMarked ? line.subarray(BYTE_ORDER_MARK.length) : line, this.#lines);
      if (entry !== undefined) into.push(entry);
    } catch (error) {
      if (!(error instanceof NotAnEntry)) throw error;
      throw invalid(`${placeIn(this, this.#lines)} ${error.message}`);
    }
  }

  /** The lines that end in each chunk, and the last one, which may have no line break. */
  async *#lineGroups(): AsyncGenerator<readonly Uint8Array[], void> {
    let begun: Uint8Array[] = [];
    let begunBytes = 0;
    for await (const chunk of this.#bytes()) {
      const lines: Uint8Array[] = [];
      let from = 0;
      for (let to = chunk.indexOf(LINE_FEED); to >= 0; to = chunk.indexOf(LINE_FEED, from)) {
        lines.push(Buffer.concat([...begun, chunk.subarray(from, to)]));
        [begun, begunBytes] = [[], 0];
        from = to + 1;
      }
      if (lines.length > 0) yield lines;
      if (from === chunk.length) continue;
      begun.push(chunk.subarray(from));
      begunBytes += chunk.length - from;
      if (begunBytes > this.#maxLineBytes)
        throw invalid(
          `${placeIn(this, this.#lines + 1)} is over ${this.#maxLineBytes} bytes: more than any entry takes`,
        );
    }
    if (begunBytes > 0) yield [Buffer.concat(begun)];
  }

  async *#bytes(): AsyncGenerator<Uint8Array, void> {
    try {
      for await (const chunk of this.#chunks) {
        const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
        this.#readBytes += bytes.length;
        yield bytes;
      }
    } catch (cause) {
      if (KayaError.is(cause) || (cause as NodeJS.ErrnoException).code === undefined) throw cause;
      const { code } = cause as NodeJS.ErrnoException;
      throw new KayaError("KAYA_IO", `cannot read ${this.name} behind line ${this.#lines}: ${code}`, {
        cause,
      });
    }
  }
}
