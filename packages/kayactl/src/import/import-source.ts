/** An entry that is to be imported. */
export interface ImportEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Milliseconds since 1970; undefined where the value stays. */
  readonly expiresAt?: number | undefined;
  /** Which line of a file, or which entry of a store, counted from 1. */
  readonly place: number;
}

/** Where entries come from. */
export interface ImportSource {
  /** For messages: a path. */
  readonly name: string;
  /** What its places count. */
  readonly unit: "line" | "entry" | "row";
  /** Of a file, where they are known. */
  readonly totalBytes?: number | undefined;
  /** Of the file, that were read so far. */
  readonly readBytes: number;
  /** What was left out on purpose and has to be told: one sentence each. Complete once everything is read. */
  readonly notes: readonly string[];
  /**
   * All entries, some at a time. What cannot be kept exactly is refused with its place, behind all entries before it.
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_IO
   */
  pages(): AsyncIterable<readonly ImportEntry[]>;
  /** Lets go of what it holds. */
  close(): Promise<void>;
}

/** `line 7 of data.jsonl`. */
export function placeIn({ unit, name }: Pick<ImportSource, "unit" | "name">, place: number): string {
  return `${unit} ${place} of ${name}`;
}
