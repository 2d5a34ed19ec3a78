import type { ServerResponse } from "node:http";
import type { ChangeOperation } from "@kaya/engine";
import { SECURITY_HEADERS } from "./answers.js";
import type { Events, Problem } from "./api.js";
import { type ChangeFilter, PendingChanges } from "./pending-changes.js";

/** Changes are sent together, at most this often. */
const TOGETHER_MS = 100;
/** After which a browser connects again. */
const RETRY_MS = 2000;

/** Server-sent events for one page. However slowly it reads, what waits for it stays small. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #changes: PendingChanges;
  /** The last look, until it is sent. */
  #look: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(response: ServerResponse, filter: ChangeFilter) {
    this.#response = response;
    this.#changes = new PendingChanges(filter);
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

  /** Keeps the changes of a record that the page wants. The bytes are valid only during the call. */
  changed(lsn: number, operations: Iterable<ChangeOperation>): void {
    this.#changes.add(lsn, operations);
  }

  missed(records: number): void {
    this.#changes.miss(records);
  }

  /** Reads show what was kept: it is sent, unless something was just now. */
  settled(): void {
    this.#changes.settle();
    if (this.#timer === undefined && this.#changes.hasSettled) this.#sendChanges();
  }

  /** Sends the reason, if there is one, and ends the stream. */
  end(problem?: Problem): void {
    clearTimeout(this.#timer);
    this.#response.end(problem === undefined ? "" : event("problem", JSON.stringify(problem)));
  }

  get #takesMore(): boolean {
    return !this.#response.writableEnded && !this.#response.writableNeedDrain;
  }

  #sendLook(): void {
    if (this.#look === undefined || !this.#takesMore) return;
    this.#response.write(this.#look);
    this.#look = undefined;
  }

  #sendChanges(): void {
    if (!this.#takesMore) return;
    const { skipped, changes } = this.#changes.take();
    const events = changes.map((change) => event("change", JSON.stringify(change)));
    if (skipped > 0) events.unshift(event("skipped", JSON.stringify({ changes: skipped })));
    if (events.length === 0) return;
    this.#response.write(events.join(""));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sendChanges();
    }, TOGETHER_MS);
  }
}

function event<K extends keyof Events>(name: K, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}
