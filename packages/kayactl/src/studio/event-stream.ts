import type { ServerResponse } from "node:http";
import type { ChangeOperation } from "@kaya/engine";
import { isReservedKey } from "@kaya/engine";
import { SECURITY_HEADERS } from "./answers.js";
import type { Change, Events, Problem } from "./api.js";
import { toText } from "./base64url.js";
import { endOfPrefix, hasPrefix } from "./key-range.js";
import { HEAD_BYTES } from "./rows.js";

/** Changes that wait for a page: where there are more, the oldest are left out, and counted. */
const MOST_CHANGES = 100;
const MOST_CHARACTERS = 1024 * 1024;
/** A page gets its changes together, at most so often. */
const TOGETHER_MS = 100;
/** After which a browser connects again. */
const RETRY_MS = 2000;

/** Which changes a stream tells. */
export interface StreamFilter {
  readonly prefix: Uint8Array;
  readonly isInternal: boolean;
}

/** Server-sent events for one page. However fast it reads, what waits for it stays small. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #filter: StreamFilter;
  #look: string | undefined;
  /** As text, oldest first. */
  #changes: string[] = [];
  #characters = 0;
  /** Of these, those that reads show by now. */
  #settled = 0;
  #skipped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(response: ServerResponse, filter: StreamFilter) {
    this.#response = response;
    this.#filter = filter;
    response.writeHead(200, { ...SECURITY_HEADERS, "content-type": "text/event-stream" });
    response.write(`retry: ${RETRY_MS}\n\n`);
    response.on("drain", () => {
      this.#sendLook();
      if (this.#timer === undefined) this.#sendChanges();
    });
    response.on("close", () => clearTimeout(this.#timer));
  }

  /** @param look as JSON; one that has not been sent yet is left out */
  look(look: string): void {
    this.#look = event("look", look);
    this.#sendLook();
  }

  /** Keeps what the page wants to know of a write. */
  changed(lsn: number, operation: ChangeOperation): void {
    const change = this.#changeOf(operation);
    if (change === undefined) return;
    const text = event("change", JSON.stringify({ lsn, at: Date.now(), ...change } satisfies Change));
    this.#changes.push(text);
    this.#characters += text.length;
    while (this.#changes.length > MOST_CHANGES || this.#characters > MOST_CHARACTERS) {
      this.#characters -= this.#changes.shift()?.length ?? 0;
      this.#settled = Math.max(0, this.#settled - 1);
      this.#skipped++;
    }
  }

  missed(records: number): void {
    this.#skipped += records;
  }

  /** Reads show what was kept: it may be sent. */
  settled(): void {
    this.#settled = this.#changes.length;
    if (this.#settled === 0 && this.#skipped === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#sendChanges();
    }, TOGETHER_MS);
  }

  /** Tells why there is nothing more, and ends. */
  end(problem?: Problem): void {
    clearTimeout(this.#timer);
    this.#response.end(problem === undefined ? "" : event("problem", JSON.stringify(problem)));
  }

  #sendLook(): void {
    if (this.#look === undefined || this.#response.writableNeedDrain) return;
    this.#response.write(this.#look);
    this.#look = undefined;
  }

  #sendChanges(): void {
    if (this.#response.writableNeedDrain) return;
    const sent = this.#changes.splice(0, this.#settled);
    this.#settled = 0;
    if (this.#skipped > 0) sent.unshift(event("skipped", JSON.stringify({ changes: this.#skipped })));
    this.#skipped = 0;
    const text = sent.join("");
    this.#characters = this.#changes.reduce((sum, { length }) => sum + length, 0);
    if (text !== "") this.#response.write(text);
  }

  #changeOf(operation: ChangeOperation): Omit<Change, "lsn" | "at"> | undefined {
    const { prefix, isInternal } = this.#filter;
    const first = operation.type === "deleteRange" ? operation.start : operation.key;
    if (!isInternal && isReservedKey(first)) return undefined;
    if (operation.type === "deleteRange") {
      const { start, end } = operation;
      if (!meets(start, end, prefix)) return undefined;
      return { kind: "deleteRange", key: toText(start), ...(end !== undefined && { end: toText(end) }) };
    }
    const { type: kind, key } = operation;
    if (!hasPrefix(key, prefix)) return undefined;
    if (operation.type === "delete") return { kind, key: toText(key) };
    const { value, expiresAt } = operation;
    return {
      kind,
      key: toText(key),
      length: value.length,
      head: toText(value.subarray(0, HEAD_BYTES)),
      ...(expiresAt !== undefined && { expiresAt }),
    };
  }
}

/** Whether a key that begins with `prefix` can be in a range. */
function meets(start: Uint8Array, end: Uint8Array | undefined, prefix: Uint8Array): boolean {
  const behind = endOfPrefix(prefix);
  return (
    (behind === undefined || Buffer.compare(start, behind) < 0) &&
    (end === undefined || Buffer.compare(prefix, end) < 0)
  );
}

function event<K extends keyof Events>(name: K, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}
