import { describe, KayaError, type Lsn } from "@kaya/core";
import type { KeptLog, WalWriter } from "@kaya/wal";
import { invalid } from "../input.js";
import { type ChangePosition, isOf, readToken, toLsn, toToken } from "./change-token.js";
import type { Edit, Registrations } from "./registrations.js";

const MOST_CONSUMERS = 1000;

// Without control characters and line ends, which the file could not hold.
const NAME = /^[^\p{C}\p{Zl}\p{Zp}]{1,128}$/u;

/** A registered reader of the change feed, for which the log is kept. */
export interface Consumer {
  /** The name under which it was added. */
  readonly name: string;
  /** The token behind the last change that it acknowledged. */
  readonly token: string;
  /** Log sequence number of the last change that it acknowledged. */
  readonly lsn: Lsn;
  /** True if its next change is not in the log any more: add it again, and read the data as it is then. */
  readonly isTruncated: boolean;
}

/** A consumer, and whether this call has registered it. */
export interface AddedConsumer extends Consumer {
  /**
   * True if this call registered it: it begins at the token. To read the data that was there before, pass
   * `copy`.
   */
  readonly isNew: boolean;
}

/** Where a consumer begins, and how it reads the data that is there. */
export interface AddConsumerOptions {
  /**
   * Use it instead of `copy`. The consumer begins, or begins again, at this token: the token of a change, or a
   * token that `changesToken` gave before the data was read. The log is not kept for it until it is registered.
   */
  readonly since?: string;
  /**
   * Reads the data that is there. It is called if the consumer begins now: it is not registered, or its next
   * change is not in the log any more. When it has resolved, the consumer is registered at a token from before
   * the call, so changes meanwhile come again. If it rejects, `addConsumer` rejects with that, and the next
   * call calls it again. The log is kept meanwhile.
   */
  readonly copy?: () => void | Promise<void>;
}

type ConsumedLog = Pick<
  WalWriter<unknown>,
  "beginsAfter" | "endLsn" | "mayReach" | "history" | "noteFailure"
>;

/** Those for whom the log is kept, and how far each has got. */
export class Consumers {
  readonly #registrations: Registrations;
  readonly #log: ConsumedLog;
  readonly #maxKeptBytes: number;
  /** Of those that are being added. */
  readonly #adding = new Set<ChangePosition>();

  constructor(registrations: Registrations, log: ConsumedLog, maxKeptBytes: number) {
    this.#registrations = registrations;
    this.#log = log;
    this.#maxKeptBytes = maxKeptBytes;
  }

  /** In order of their names. */
  list(): readonly Consumer[] {
    const consumers = [...this.#registrations.positions].map(([name, position]) =>
      this.#describe(name, position),
    );
    return consumers.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get count(): number {
    return this.#registrations.positions.size;
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_FOUND */
  positionOf(name: string): ChangePosition {
    const position = this.#registrations.positions.get(checkName(name));
    if (position !== undefined) return position;
    throw new KayaError("KAYA_NOT_FOUND", `there is no consumer ${describe(name)}: add it with addConsumer`);
  }

  /**
   * Registers a consumer, or finds it.
   * @param options.since where it begins; without it where it was, or `now` where it is new or what comes next is not in the log any more
   */
  async add(
    name: string,
    { since, copy }: AddConsumerOptions,
    now: () => Promise<ChangePosition>,
  ): Promise<AddedConsumer> {
    const known = this.#registrations.positions.get(checkName(name));
    if (since === undefined && known !== undefined && this.#isInLog(known)) {
      await this.#confirm();
      return { ...this.#describe(name, known), isNew: false };
    }
    if (known === undefined && this.count >= MOST_CONSUMERS)
      throw invalid(`there are ${MOST_CONSUMERS} consumers already`);
    const position = since === undefined ? await now() : this.#check(since);
    this.#adding.add(position);
    try {
      await copy?.();
      await this.#change((positions) => positions.set(name, position));
    } finally {
      this.#adding.delete(position);
    }
    // A flush may have been dropping segments when it was registered.
    this.#assertReaches(toLsn(this.#log.history, position));
    return { ...this.#describe(name, position), isNew: true };
  }

  /** False where there was none. */
  async remove(name: string): Promise<boolean> {
    const isThere = this.#registrations.positions.has(checkName(name));
    await (isThere ? this.#change((positions) => positions.delete(name)) : this.#confirm());
    return isThere;
  }

  async acknowledge(name: string, token: string): Promise<void> {
    const { history } = this.#log;
    const position = this.#check(token);
    const isAhead = (of: ChangePosition | undefined) =>
      of !== undefined && (!isOf(history, of) || of.lsn < position.lsn);
    if (!isAhead(this.positionOf(name))) return this.#confirm();
    await this.#change((positions) => {
      if (isAhead(positions.get(name))) positions.set(name, position);
    });
  }

  /** What of the log has to stay; undefined where nobody needs it. */
  get kept(): KeptLog | undefined {
    const wanted = [...this.#registrations.possible(), ...this.#adding];
    const needed = wanted.filter((position) => this.#isInLog(position));
    if (needed.length === 0) return undefined;
    return { from: Math.min(...needed.map(({ lsn }) => lsn)) + 1, maxBytes: this.#maxKeptBytes };
  }

  /** From now on changes reject with `reason`. Resolves when nothing is being written. */
  close(reason: KayaError): Promise<void> {
    return this.#registrations.close(reason);
  }

  #change(edit: Edit): Promise<void> {
    return this.#noting(this.#registrations.change(edit));
  }

  #confirm(): Promise<void> {
    return this.#noting(this.#registrations.confirm());
  }

  async #noting(written: Promise<void>): Promise<void> {
    try {
      await written;
    } catch (error) {
      this.#log.noteFailure(error);
      throw error;
    }
  }

  #describe(name: string, position: ChangePosition): Consumer {
    return { name, token: toToken(position), lsn: position.lsn, isTruncated: !this.#isInLog(position) };
  }

  #isInLog(position: ChangePosition): boolean {
    return isOf(this.#log.history, position) && position.lsn >= this.#log.beginsAfter;
  }

  #check(token: string): ChangePosition {
    const position = readToken(token);
    const lsn = toLsn(this.#log.history, position);
    if (!this.#log.mayReach(lsn)) {
      const message = `the change token ${toToken(position)} is beyond the log's end, LSN ${this.#log.endLsn}: the log lost what it had`;
      throw new KayaError("KAYA_LOG_TRUNCATED", message);
    }
    return position;
  }

  #assertReaches(lsn: Lsn): void {
    if (lsn >= this.#log.beginsAfter) return;
    throw new KayaError(
      "KAYA_LOG_TRUNCATED",
      `the changes behind LSN ${lsn} are not in the log any more: tables took the place of those up to LSN ${this.#log.beginsAfter}. ` +
        "Begin anew: `addConsumer(name, { copy })` reads the data as it is then. Where that takes so long that the log is dropped, give more `changes.maxKeptLogBytes`.",
    );
  }
}

function checkName(name: string): string {
  if (typeof name === "string" && NAME.test(name)) return name;
  throw invalid(
    `the name of a consumer must have 1 to 128 characters and no control characters, not ${describe(name)}`,
  );
}
