import { signal } from "@preact/signals";
import { API, type Base64Url, type Change, type Events, type Look, type Problem } from "../../api.js";
import { getStore, StudioError, urlOf, whenUnanswered } from "../lib/client.js";

/** Seconds of looks that charts show. */
export const MOST_LOOKS = 120;
/** Changes that the feed keeps. */
export const MOST_CHANGES = 5000;
/** How long a row stays marked. */
const MARK_MS = 2500;
/** Of a batch: where more change at once, nobody follows single rows. */
const MOST_MARKS = 200;
/** A look comes once a second: after so long without one the connection is lost. */
const SILENCE_MS = 6000;
const FIRST_RETRY_MS = 500;
const MOST_RETRY_MS = 5000;
/** A store that could not be followed is tried again after so long. */
const STOPPED_MS = 5000;

/** `stopped`: the server answers, but cannot follow the store. `refused`: the server does not know this page: it is another run. */
export type Connection = "connecting" | "open" | "lost" | "stopped" | "refused";

export const connection = signal<Connection>("connecting");
/** Moves each time that the connection is there again. Requests that failed are repeated; the changes in between are not known. */
export const reconnects = signal(0);
/** Moves each time that changes may have been missed: with each new stream, and where the stream left some out. */
export const gaps = signal(0);
export const looks = signal<readonly Look[]>([]);
/** Why the store cannot be followed. */
export const followProblem = signal<Problem | undefined>(undefined);

/** The newest first. */
export const changes = signal<readonly Change[]>([]);
export const isPaused = signal(false);
/** Changes that came while the feed was held. */
export const heldBack = signal(0);
/** Changes that came faster than they could be taken. */
export const skipped = signal(0);
/** Keys that changed just now, and how. */
export const marks = signal<ReadonlyMap<Base64Url, Change>>(new Map());

const ownWrites = new Set<number>();

/** Notes a write of this page, which is not told to the user as a change. */
export function noteOwnWrite({ lsn }: { readonly lsn: number }): void {
  ownWrites.add(lsn);
}

export function isOwnWrite({ lsn }: Change): boolean {
  return ownWrites.has(lsn);
}

/** `skipped`: so many more came faster than they could be taken. */
type Listener = (batch: readonly Change[], skipped: number) => void;
const listeners = new Set<Listener>();

/** Calls `listener` with each batch of changes below the prefix that is followed. */
export function onChanges(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** A page does not wait longer for the stream before it reads. */
const MOST_WAIT_MS = 500;

let begin: () => void = () => undefined;
let begun = new Promise<void>((resolve) => {
  begin = resolve;
});

/**
 * Resolves once each later change is told, so that what is read behind it never goes stale in silence. A store that cannot be followed is read
 * nevertheless.
 */
export function whenFollowed(): Promise<void> {
  return begun;
}

let source: EventSource | undefined;
let followed: Base64Url | undefined;
let retryTimer: ReturnType<typeof setTimeout> | undefined;
let retryMs = FIRST_RETRY_MS;
let lastSign = 0;
let incoming: Change[] = [];
let held: Change[] = [];
let isFlushPlanned = false;

/** Follows the keys below a prefix, and the store itself. The changes of another prefix are dropped. */
export function follow(prefix: Base64Url): void {
  if (prefix === followed) return;
  followed = prefix;
  const before = begin;
  begun = new Promise((resolve) => {
    begin = () => {
      before();
      resolve();
    };
    setTimeout(begin, MOST_WAIT_MS);
  });
  incoming = [];
  held = [];
  changes.value = [];
  heldBack.value = 0;
  skipped.value = 0;
  open();
}

/** The empty one: all changes are told. */
export function prefixFollowed(): Base64Url {
  return followed ?? "";
}

function open(): void {
  clearTimeout(retryTimer);
  source?.close();
  const next = new EventSource(urlOf(API.events, { prefix: followed }));
  source = next;
  lastSign = Date.now();
  let isFirstLook = true;
  next.addEventListener("open", () => {
    if (connection.value !== "stopped") isHere();
  });
  next.addEventListener("error", () => lose());
  hear(next, "look", (look) => {
    isHere();
    begin();
    if (isFirstLook) gaps.value++;
    isFirstLook = false;
    looks.value = [...looks.value.slice(1 - MOST_LOOKS), look];
  });
  hear(next, "change", (change) => {
    incoming.push(change);
    plan();
  });
  hear(next, "skipped", ({ changes: count }) => {
    skipped.value += count;
    gaps.value++;
    for (const listener of listeners) listener([], count);
  });
  hear(next, "problem", (problem) => {
    followProblem.value = problem;
    next.close();
    connection.value = "stopped";
    source = undefined;
    retryTimer = setTimeout(open, STOPPED_MS);
  });
}

function hear<K extends keyof Events>(from: EventSource, name: K, take: (data: Events[K]) => void): void {
  from.addEventListener(name, (event) => {
    if (from !== source) return;
    lastSign = Date.now();
    take(JSON.parse((event as MessageEvent<string>).data) as Events[K]);
  });
}

function isHere(): void {
  lastSign = Date.now();
  retryMs = FIRST_RETRY_MS;
  if (connection.value === "open") return;
  followProblem.value = undefined;
  const wasLost = connection.value !== "connecting";
  connection.value = "open";
  if (wasLost) reconnects.value++;
}

/** The connection is gone: it is tried again, less and less often. */
function lose(): void {
  source?.close();
  source = undefined;
  if (connection.value !== "refused") connection.value = "lost";
  clearTimeout(retryTimer);
  retryTimer = setTimeout(open, retryMs);
  retryMs = Math.min(MOST_RETRY_MS, retryMs * 2);
  // An EventSource does not say why it failed.
  getStore().then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof StudioError && (error.status === 401 || error.status === 403))
        connection.value = "refused";
    },
  );
}

/** Tries at once. */
export function reconnectNow(): void {
  retryMs = FIRST_RETRY_MS;
  open();
}

whenUnanswered(() => {
  if (connection.value === "open" && source !== undefined) lose();
});

setInterval(() => {
  if (source !== undefined && connection.value === "open" && Date.now() - lastSign > SILENCE_MS) lose();
}, 1000);

function plan(): void {
  if (isFlushPlanned) return;
  isFlushPlanned = true;
  // Several a frame are shown at once.
  setTimeout(flush, 100);
}

function flush(): void {
  isFlushPlanned = false;
  const batch = incoming;
  incoming = [];
  if (batch.length === 0) return;
  mark(batch);
  for (const listener of listeners) listener(batch, 0);
  if (isPaused.value) {
    held = [...held, ...batch].slice(-MOST_CHANGES);
    heldBack.value += batch.length;
  } else {
    show(batch);
  }
}

function show(batch: readonly Change[]): void {
  changes.value = [...batch.toReversed(), ...changes.value].slice(0, MOST_CHANGES);
}

function mark(batch: readonly Change[]): void {
  const marked = batch.slice(-MOST_MARKS);
  const next = new Map(marks.value);
  for (const change of marked) next.set(change.key, change);
  marks.value = next;
  setTimeout(() => {
    const left = new Map(marks.value);
    for (const change of marked) if (left.get(change.key) === change) left.delete(change.key);
    marks.value = left;
  }, MARK_MS);
}

/** Holds the feed, or goes on with what came meanwhile. */
export function setPaused(paused: boolean): void {
  isPaused.value = paused;
  if (paused) return;
  show(held);
  held = [];
  heldBack.value = 0;
}
