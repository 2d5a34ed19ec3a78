import { entryValue, sampleIndex } from "./data.js";
import type { Tuple } from "./typed-system.js";

/** A small object as programs keep it: about 150 bytes of JSON. */
export interface Person {
  readonly id: number;
  readonly name: string;
  readonly email: string;
  readonly isActive: boolean;
  readonly balance: number;
  readonly tags: readonly string[];
  readonly address: { readonly street: string; readonly city: string };
}

/** Entries of one prefix of tuple keys. */
export const TUPLES_A_PREFIX = 100;
export const TUPLE_KIND = "visits";

const KEY_DIGITS = 11;
const SHUFFLED = 2 ** 32;

/** The key of person `index`, 16 characters: distinct up to 2^32 persons, in random order. */
export function personKey(index: number): string {
  return `user-${sampleIndex(index, SHUFFLED).toString().padStart(KEY_DIGITS, "0")}`;
}

export function person(index: number): Person {
  return {
    id: index,
    name: `Person ${index}`,
    email: `person.${index}@example.com`,
    isActive: index % 3 !== 0,
    balance: index / 4,
    tags: ["customer", index % 2 === 0 ? "north" : "south"],
    address: { street: `${index % 400} Long Street`, city: "Springfield" },
  };
}

/** The key of entry `index` of those with tuple keys: a kind, a number and a time, `TUPLES_A_PREFIX` times for each number. */
export function tupleKey(index: number): Tuple {
  const user = Math.floor(index / TUPLES_A_PREFIX);
  return [TUPLE_KIND, user, 1_700_000_000_000 + (index % TUPLES_A_PREFIX) * 61_000];
}

export const tupleValue = entryValue;
