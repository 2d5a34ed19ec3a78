import type { WalOperation } from "@kaya/wal";
import type { HeadEngine, HeadEntry } from "../modify.js";
import { RangeReader } from "../store/range-reader.js";
import type { Turns } from "../turns.js";
import { isAlike } from "./declared-prefix.js";
import { definitionKey, type IndexDefinition } from "./definition.js";
import { entryKey } from "./entry-key.js";
import { hasExpired, ownerIn, putting } from "./extension.js";
import type { DeclaredIndex } from "./index-options.js";
import { entryOperations } from "./maintain.js";
import { notUnique } from "./not-unique.js";
import { rangeOfPrefix } from "./reserved.js";

/** Rows that get their entries in one batch, and bytes of their values after which it has enough. */
const PAGE_ROWS = 256;
const PAGE_BYTES = 256 * 1024;

export interface BuildHost {
  readonly head: HeadEngine;
  readonly maxKeyBytes: number;
  /** Other work gets its turn between pages. */
  readonly turns: Turns;
  /** Resolves when there is room for more writes. */
  ready(): Promise<void>;
  /** Tries until nothing has to be read from the disk first. */
  retry(attempt: () => Promise<unknown>): Promise<unknown>;
  /** At the head of the log's queue. */
  entries(keys: readonly Uint8Array[]): readonly HeadEntry[];
  /** A definition has its place in the log. */
  note(definition: IndexDefinition): void;
  /** The definition as it is now. */
  current(): IndexDefinition | undefined;
}

interface Page {
  readonly keys: readonly Uint8Array[];
  readonly isLast: boolean;
}

/**
 * Makes the entries of the rows that were there before the index was defined, page by page in the order of their keys. Writes go on meanwhile, and keep the
 * index themselves. Each page remembers how far it has got in the same batch, so that a build that was broken off goes on from there. It
 * ends at once where the definition is not there, or is another one.
 *
 * Rejects with KAYA_NOT_UNIQUE for two rows with one key, and as the index's functions; as writes and reads of the store.
 */
export async function buildIndex(host: BuildHost, declared: DeclaredIndex): Promise<void> {
  for (;;) {
    await host.ready();
    await host.turns.next();
    const definition = host.current();
    if (definition?.state !== "building" || !isAlike(definition, declared)) return;
    const { head } = host;
    // Rows that were written before the definition must be seen: they are applied once that is.
    await head.wal.pendingChange(definitionKey(definition.prefix, definition.name))?.settled();
    head.assertWritable();
    const page = await readPage(host, definition);
    await host.retry(async () => {
      const now = host.current();
      if (now?.state !== "building" || now.id !== definition.id) return;
      head.assertWritable();
      const after = advanced(now, page);
      const operations = [...entriesOf(host, declared, now, page), putting(after)];
      const before = head.wal.nextLsn;
      const done = head.append({ type: "batch", operations }, page.isLast ? "strict" : "relaxed");
      if (head.wal.nextLsn > before) host.note(after);
      await done;
    });
  }
}

/** The entries of the rows of a page, each row as it is at the head by now. */
function entriesOf(
  host: BuildHost,
  declared: DeclaredIndex,
  { prefix, id, name, unique }: IndexDefinition,
  { keys }: Page,
): readonly WalOperation[] {
  const index = { id, name, unique, isBuilding: true };
  const now = host.head.applied.store.now();
  const changes = host.entries(keys).flatMap((row) => {
    if (row.value === undefined || hasExpired(row, now)) return [];
    const after = declared.keysOf(row.key, row.value);
    const { expiresAt } = row;
    return [
      { index, rowKey: row.key.subarray(prefix.length), before: [], after, expiredAt: undefined, expiresAt },
    ];
  });
  // All that must be read is read together.
  if (unique) host.entries(changes.flatMap(({ after }) => after.map((key) => entryKey(id, key))));
  const parts = { entries: host.entries, now };
  const done = entryOperations(changes, host.maxKeyBytes, (key) => ownerIn(parts, prefix, key));
  if ("violation" in done) throw notUnique("build", prefix, declared, done.violation);
  return done.operations;
}

function advanced(definition: IndexDefinition, { keys, isLast }: Page): IndexDefinition {
  const { cursor: before, ...rest } = definition;
  if (isLast) return { ...rest, state: "ready" };
  const cursor = keys.at(-1)?.subarray(definition.prefix.length) ?? before;
  return { ...rest, cursor };
}

/** The keys of the next rows. */
async function readPage({ head }: BuildHost, { prefix, cursor }: IndexDefinition): Promise<Page> {
  const whole = rangeOfPrefix(prefix);
  const range = cursor === undefined ? whole : { ...whole, gt: Buffer.concat([prefix, cursor]) };
  const snapshot = head.applied.snapshot();
  const reader = new RangeReader(snapshot.cursor(range), range);
  const keys: Uint8Array[] = [];
  let bytes = 0;
  try {
    await reader.read(
      (entry) => {
        keys.push(new Uint8Array(entry.key));
        bytes += entry.value.length;
      },
      () => keys.length >= PAGE_ROWS || bytes >= PAGE_BYTES,
    );
    return { keys, isLast: reader.isAtEnd };
  } finally {
    reader.close();
    snapshot.release();
  }
}
