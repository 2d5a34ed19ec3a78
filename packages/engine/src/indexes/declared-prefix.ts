import { describe } from "@kaya/core";
import { showKey } from "../conditions.js";
import { invalid } from "../input.js";
import type { IndexDefinition } from "./definition.js";
import type { DeclaredIndex } from "./index-options.js";
import { RESERVED_PREFIX } from "./reserved.js";

/** What the program declares of the rows that begin with a prefix. */
export class DeclaredPrefix {
  readonly prefix: Uint8Array;
  readonly #indexes = new Map<string, DeclaredIndex>();

  /** @throws KayaError KAYA_INVALID_ARGUMENT for a prefix that other keys than the view's begin with */
  constructor(prefix: Uint8Array) {
    const shared = RESERVED_PREFIX.subarray(0, prefix.length);
    const isReserved = Buffer.compare(prefix.subarray(0, RESERVED_PREFIX.length), shared) === 0;
    if (prefix.length === 0)
      throw invalid("a view with indexes needs a prefix: give it one that no other keys begin with");
    if (isReserved)
      throw invalid(`the prefix ${showKey(prefix)} is reserved for indexes: give the view another one`);
    this.prefix = prefix;
  }

  get indexes(): ReadonlyMap<string, DeclaredIndex> {
    return this.#indexes;
  }

  /**
   * What was declared last counts: its functions.
   * @throws KayaError KAYA_INVALID_ARGUMENT where the program declares an index in two ways
   */
  declare(declared: readonly DeclaredIndex[]): void {
    for (const index of declared) {
      const earlier = this.#indexes.get(index.name);
      if (earlier !== undefined && !isAlike(earlier, index))
        throw invalid(
          `the index ${describe(index.name)} of ${showKey(this.prefix)} is declared in two ways by this program: ${show(earlier)}, and now ${show(index)}`,
        );
    }
    for (const index of declared) this.#indexes.set(index.name, index);
  }
}

/** Whether what a store has is what the program declares. */
export function isAlike(a: Described, b: Described): boolean {
  return a.unique === b.unique && a.codec === b.codec && a.version === b.version;
}

type Described = Pick<IndexDefinition, "unique" | "codec" | "version">;

function show({ unique, codec, version }: Described): string {
  return `${unique ? "unique, " : ""}keys as ${codec}, version ${version}`;
}
