// Reads of typed arrays where the index is known to be inside: the compiler cannot know it, and two functions keep each
// of them to one kind of array, which the engine then reads without a check of the kind.

export function wordAt(words: Int32Array, index: number): number {
  return words[index] as number;
}

export function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

/** An element that is there. */
export function itemAt<T>(items: readonly T[], index: number): T {
  return items[index] as T;
}

const LINE_WORDS = 16;

/**
 * Looks at each cache line from `from` to `to`, so that the processor fetches them all at once and not each when its turn comes. What
 * it gives says nothing, and has to be put somewhere: else the look is optimised away.
 */
export function fetchLines(words: Int32Array, from: number, to: number): number {
  let seen = 0;
  for (let i = from; i < to; i += LINE_WORDS) seen ^= wordAt(words, i);
  return seen;
}
