import { NO_ADDRESS } from "./arena.js";
import type { CopyOut, KeyValue } from "./copy-out.js";
import { Cursor } from "./cursor.js";
import type { KeyRange } from "./key-range.js";
import type { Tree } from "./tree.js";

/** Reads the entries of a range, in its order. All bytes are copies. */
export class EntryReader {
  readonly #cursor: Cursor;
  readonly #copyOut: CopyOut;
  /** As long as somebody reads, the snapshot is not dropped. */
  readonly source: object;

  constructor(source: object, tree: Tree, root: number, copyOut: CopyOut, range: KeyRange) {
    this.source = source;
    this.#copyOut = copyOut;
    this.#cursor = new Cursor(tree, root, range);
  }

  /** The next entries: at most `limit`, fewer only where there are no more. */
  read(limit: number): KeyValue[] {
    const entries: KeyValue[] = [];
    while (entries.length < limit) {
      const address = this.#cursor.next();
      if (address === NO_ADDRESS) break;
      entries.push(this.#copyOut.keyAndValue(address));
    }
    return entries;
  }

  /** The keys of the next entries: at most `limit`, fewer only where there are no more. */
  readKeys(limit: number): Uint8Array[] {
    const keys: Uint8Array[] = [];
    while (keys.length < limit) {
      const address = this.#cursor.next();
      if (address === NO_ADDRESS) break;
      keys.push(this.#copyOut.key(address));
    }
    return keys;
  }
}
