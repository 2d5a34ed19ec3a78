import { join } from "node:path";
import type { Scale } from "../scale.js";
import { person, personKey, tupleKey, tupleValue } from "../typed-data.js";
import {
  hasTyping,
  STRING_JSON,
  STRING_MSGPACK,
  TUPLE_BYTES,
  type TypedStore,
  type Typing,
} from "../typed-system.js";
import type { Fixture, Job } from "../workload.js";
import { ROOM_FOR_ALL } from "./reads.js";

const MOST_ENTRIES = 200_000;
const BATCH_ENTRIES = 1000;

type TypedEntry = Parameters<TypedStore["batch"]>[0][number];

/** Entries of each store with types: fewer than others have, as a store of each kind is filled. */
export function typedEntries({ entries }: Scale): number {
  return Math.min(entries, MOST_ENTRIES);
}

/** A store of each kind that the system has, in directories of their own. */
export const typedStores: Fixture = {
  name: "typed-stores",
  async fill(job) {
    await fill(job, STRING_JSON, personEntry);
    await fill(job, STRING_MSGPACK, personEntry);
    await fill(job, TUPLE_BYTES, tupleEntry);
  },
};

/** @returns undefined where the system has no such store */
export async function openTyped(job: Job, typing: Typing): Promise<TypedStore | undefined> {
  const { typed } = job.system;
  if (!hasTyping(typed, typing)) return undefined;
  return typed?.open(dirOf(job, typing), "relaxed", typing, ROOM_FOR_ALL);
}

function dirOf({ fixtureDir }: Job, { key, value }: Typing): string {
  return join(fixtureDir, `${key}-${value}`);
}

async function fill(job: Job, typing: Typing, entryOf: (index: number) => TypedEntry): Promise<void> {
  const store = await openTyped(job, typing);
  if (store === undefined) return;
  const count = typedEntries(job.scale);
  for (let from = 0; from < count; from += BATCH_ENTRIES) {
    const length = Math.min(BATCH_ENTRIES, count - from);
    await store.batch(Array.from({ length }, (_, i) => entryOf(from + i)));
  }
  await store.close();
}

function personEntry(index: number): TypedEntry {
  return { key: personKey(index), value: person(index) };
}

function tupleEntry(index: number): TypedEntry {
  return { key: tupleKey(index), value: tupleValue(index) };
}
