import { signal } from "@preact/signals";
import type { Base64Url, Change, Row } from "../../api.js";
import { compare, fromBase64Url } from "../lib/bytes.js";
import { getRows, type Params } from "../lib/client.js";
import { boundsOf, changesKey, isInBounds, type KeyBounds } from "./key-bounds.js";
import { whenFollowed } from "./live.js";

const PAGE_ROWS = 500;
/** Pages whose rows are kept. Of all others only where they begin is. */
const MOST_PAGES = 24;
/** Rows shown as being on their way behind those that are known. */
const AHEAD = 200;

interface Page {
  readonly start: number;
  readonly cursor: string | undefined;
  readonly count: number;
  /** Of the last row. By it a page that was let go and read again is known to be the same. */
  readonly lastKey: Base64Url | undefined;
  rows: Row[] | undefined;
  usedAt: number;
}

/**
 * The rows of a query, read page by page as far as they are looked at. A page far from what is shown is let go, and read again by its cursor:
 * a list of a million keys costs no more memory than its cursors and a few thousand rows.
 */
export class RowWindow {
  /** Moves whenever a row is there that was not, or is another. */
  readonly version = signal(0);
  readonly error = signal<unknown>(undefined);
  /** Keys that came or went since, which are not in the list as it stands. */
  readonly missed = signal(0);
  /** Set where changes were missed, so that it is not known how many. */
  readonly isOld = signal(false);
  /** Keys of the list that were deleted since. */
  readonly gone = new Set<Base64Url>();
  readonly #params: Params;
  readonly #bounds: KeyBounds;
  readonly #aborter = new AbortController();
  #pages: Page[] = [];
  #next: string | undefined;
  #isAtEnd = false;
  #isLoading = false;
  #uses = 0;

  constructor(params: Params) {
    this.#params = params;
    this.#bounds = boundsOf(params);
  }

  close(): void {
    this.#aborter.abort();
  }

  /** Rows that were read. */
  get known(): number {
    const last = this.#pages.at(-1);
    return last === undefined ? 0 : last.start + last.count;
  }

  get isLoaded(): boolean {
    return this.known > 0 || this.#isAtEnd;
  }

  get isComplete(): boolean {
    return this.#isAtEnd;
  }

  /** Rows of the list: with those that are still on their way. */
  get count(): number {
    return this.#isAtEnd ? this.known : this.known + AHEAD;
  }

  /** The row, or undefined while it is on its way. */
  rowAt(index: number): Row | undefined {
    const page = this.#pageOf(index);
    if (page?.rows === undefined) return undefined;
    page.usedAt = ++this.#uses;
    return page.rows[index - page.start];
  }

  /** Reads what of these rows is not there, one page after the other. */
  async want(from: number, to: number): Promise<void> {
    if (this.#isLoading || this.error.value !== undefined || this.#aborter.signal.aborted) return;
    const index = this.#pages.findIndex(
      (page) => page.rows === undefined && page.start < to && page.start + page.count > from,
    );
    const isNext = index === -1 && !this.#isAtEnd && to > this.known - PAGE_ROWS / 2;
    if (index === -1 && !isNext) return;
    this.#isLoading = true;
    try {
      await (isNext ? this.#readNext() : this.#readAgain(index));
      this.#letGo(from, to);
    } catch (error) {
      if (!this.#aborter.signal.aborted) this.error.value = error;
    }
    this.#isLoading = false;
    this.version.value++;
  }

  retry(): void {
    this.error.value = undefined;
    this.version.value++;
  }

  /** The connection was lost and is there again. */
  reconnected(): void {
    if (this.known > 0) this.isOld.value = true;
    this.retry();
  }

  async #read(cursor: string | undefined) {
    await whenFollowed();
    const page = await getRows({ ...this.#params, limit: PAGE_ROWS, cursor }, this.#aborter.signal);
    return { rows: [...page.rows], next: page.next };
  }

  async #readNext(): Promise<void> {
    const cursor = this.#next;
    const { rows, next } = await this.#read(cursor);
    this.#next = next;
    this.#isAtEnd = next === undefined;
    if (rows.length === 0) return;
    this.#pages.push(pageOf(rows, this.known, cursor, ++this.#uses));
  }

  async #readAgain(index: number): Promise<void> {
    const old = this.#pages[index];
    if (old === undefined) return;
    const { rows, next } = await this.#read(old.cursor);
    const page = pageOf(rows, old.start, old.cursor, ++this.#uses);
    if (page.count === old.count && page.lastKey === old.lastKey) {
      this.#pages[index] = page;
      return;
    }
    // The keys are others now: what stands behind is read anew, so that none is left out or twice.
    this.#pages = [...this.#pages.slice(0, index), ...(rows.length > 0 ? [page] : [])];
    this.#next = next;
    this.#isAtEnd = next === undefined;
  }

  #letGo(from: number, to: number): void {
    const loaded = this.#pages.filter(({ rows }) => rows !== undefined);
    const others = loaded.filter(({ start, count }) => start >= to || start + count <= from);
    const tooMany = loaded.length - MOST_PAGES;
    for (const page of others.sort((a, b) => a.usedAt - b.usedAt).slice(0, Math.max(0, tooMany))) {
      page.rows = undefined;
    }
  }

  /** Binary search: there may be thousands of pages. */
  #pageOf(index: number): Page | undefined {
    let [low, high] = [0, this.#pages.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const page = this.#pages[middle];
      if (page !== undefined && page.start + page.count <= index) low = middle + 1;
      else high = middle;
    }
    return this.#pages[low];
  }

  /** Takes changes into the rows that are shown. A key that is not among them is counted: nothing moves while somebody reads. */
  apply(batch: readonly Change[], skipped = 0): void {
    const last = this.#lastByKey(batch);
    let isChanged = false;
    let missed = skipped + batch.filter(({ kind }) => kind === "deleteRange").length;
    for (const { rows = [] } of this.#pages) {
      for (const [index, { key }] of rows.entries()) {
        const change = last.get(key);
        if (change === undefined) continue;
        last.delete(key);
        if (change.kind !== "put") {
          if (change.kind === "delete") missed++;
          this.gone.add(key);
        } else {
          rows[index] = rowOf(change);
          this.gone.delete(key);
        }
        isChanged = true;
      }
    }
    const isAmongRead = last.size > 0 ? this.#extents() : () => false;
    for (const { kind, key } of last.values()) {
      const bytes = fromBase64Url(key);
      if (kind === "put" && isInBounds(bytes, this.#bounds) && isAmongRead(bytes)) missed++;
    }
    this.missed.value += missed;
    if (isChanged) this.version.value++;
  }

  /** The last change of each key. A range that is deleted is the change of each row in it. */
  #lastByKey(batch: readonly Change[]): Map<Base64Url, Change> {
    const last = new Map<Base64Url, Change>();
    const hasRange = batch.some(({ kind }) => kind === "deleteRange");
    const rows = (hasRange ? this.#pages : []).flatMap((page) => page.rows ?? []);
    const keys = rows.map(({ key }) => [key, fromBase64Url(key)] as const);
    for (const change of batch) {
      if (change.kind !== "deleteRange") {
        last.set(change.key, change);
        continue;
      }
      for (const [key, bytes] of keys) if (changesKey(change, bytes)) last.set(key, change);
    }
    return last;
  }

  /** Tells of a key whether it belongs between those that were read and are still here. Of pages that were let go nothing needs to be known. */
  #extents(): (key: Uint8Array) => boolean {
    if (this.#isAtEnd && this.#pages.length === 0) return () => true;
    const direction = this.#params.reverse === undefined ? 1 : -1;
    const isBefore = (a: Uint8Array, b: Uint8Array) => compare(a, b) * direction <= 0;
    const extents = this.#pages.flatMap(({ rows, lastKey }) => {
      const first = rows?.[0]?.key;
      return first === undefined || lastKey === undefined ? [] : [[first, lastKey].map(fromBase64Url)];
    });
    const end = this.#isAtEnd ? this.#pages.at(-1)?.lastKey : undefined;
    const last = end === undefined ? undefined : fromBase64Url(end);
    return (key) =>
      (last !== undefined && isBefore(last, key)) ||
      extents.some(
        ([from, to]) => from !== undefined && to !== undefined && isBefore(from, key) && isBefore(key, to),
      );
  }
}

function pageOf(rows: Row[], start: number, cursor: string | undefined, usedAt: number): Page {
  return { start, cursor, count: rows.length, lastKey: rows.at(-1)?.key, rows, usedAt };
}

function rowOf({ key, length = 0, head = "", expiresAt }: Change): Row {
  return { key, length, head, ...(expiresAt !== undefined && { expiresAt }) };
}
