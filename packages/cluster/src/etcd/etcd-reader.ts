import { KayaError } from "@kaya/core";
import { truncated, unclaimed } from "../log-rules.js";
import type { CallOptions, LogBase, LogEntry, LogHead, LogPage } from "../shared-log.js";
import type { EtcdClient } from "./etcd-client.js";
import type { EtcdKeys } from "./keys.js";
import { type KeyValue, type RangeRequest, type RangeResponse, RPC, type TxnRequest } from "./protocol.js";
import { decodeBase, decodeEntry, decodeHead } from "./values.js";

const MIB = 1024 * 1024;
// etcd limits an answer by keys, not by bytes. With entries of 1 MiB, an answer has at most this many MiB.
const MAX_ENTRIES = 32;

/** The value of the base's key, and the head at the same moment. */
export interface BaseState {
  readonly head: LogHead | undefined;
  readonly base: LogBase | undefined;
  /** The epoch of the last claim; 0 before the first claim. */
  readonly claimed: number;
  /** The version of the base's key. The key also exists if there is no base. "0" before the first claim. */
  readonly version: string;
}

/** Entries, and the revision at which they were read. */
export interface ReadPage extends LogPage {
  readonly revision: string;
}

/** Reads the log. Each answer is linearizable. */
export class EtcdReader {
  readonly #name: string;
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  // The average size of the entries in the last answer. It decides how many entries the next request asks for.
  #entryBytes = MIB;

  constructor(name: string, client: EtcdClient, keys: EtcdKeys) {
    this.#name = name;
    this.#client = client;
    this.#keys = keys;
  }

  /** @throws KayaError KAYA_CORRUPTION if there are entries without a head */
  async head(options?: CallOptions): Promise<LogHead | undefined> {
    const entries = { key: this.#keys.log, rangeEnd: this.#keys.logEnd, limit: 1, keysOnly: true };
    const [heads, others] = await this.ranges(
      "reading the head",
      [{ key: this.#keys.head }, entries],
      options,
    );
    return this.#headUnlessLost(heads?.kvs[0], others?.kvs[0]);
  }

  headOf(kv: KeyValue | undefined): LogHead | undefined {
    return kv === undefined ? undefined : decodeHead(this.#name, kv);
  }

  async base(options?: CallOptions): Promise<BaseState> {
    const { head, base } = this.#keys;
    const [heads, bases] = await this.ranges("reading the base", [{ key: head }, { key: base }], options);
    const kv = bases?.kvs[0];
    const found = kv === undefined ? { claimed: 0, base: undefined } : decodeBase(this.#name, kv);
    return { head: this.headOf(heads?.kvs[0]), ...found, version: kv?.modRevision ?? "0" };
  }

  /**
   * Checks the keys below the prefix before the first claim.
   * @throws KayaError KAYA_INVALID_ARGUMENT if another program has keys there
   */
  async unclaimed(options?: CallOptions): Promise<BaseState> {
    const { all, end } = this.#keys;
    const found = await this.range({ key: all, rangeEnd: end, limit: 1000, keysOnly: true }, options);
    const foreign = found.kvs.find(({ key }) => !this.#keys.isOurs(key));
    if (foreign !== undefined)
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        `${this.#name}: another program uses the prefix: it has the key ${foreign.key.toString()}. Choose another prefix`,
      );
    await this.head(options);
    const state = await this.base(options);
    if (state.head === undefined && state.claimed > 0)
      throw new KayaError(
        "KAYA_CORRUPTION",
        `${this.#name}: the log was claimed before, but has no head: somebody deleted the key ${this.#keys.head.toString()}. Restore etcd`,
      );
    return state;
  }

  async range(request: RangeRequest, options?: CallOptions): Promise<RangeResponse> {
    const [found] = await this.ranges("reading", [request], options);
    return found as RangeResponse;
  }

  /** Implements `SharedLog.read`. */
  async read(after: number, maxBytes: number, options?: CallOptions): Promise<ReadPage> {
    let page = await this.#readOnce(after, maxBytes, options);
    const entries = [...page.entries];
    let bytes = sizeOf(entries);
    let position = entries.at(-1)?.lastLsn ?? after;
    while (entries.length > 0 && position < page.head.lsn && bytes < maxBytes) {
      const next = await this.#readOnce(position, maxBytes - bytes, options);
      const fitting = next.entries.filter((entry) => {
        bytes += entry.bytes.length;
        return bytes <= maxBytes;
      });
      entries.push(...fitting);
      if (fitting.length < next.entries.length) break;
      position = entries.at(-1)?.lastLsn ?? position;
      page = next;
    }
    return { entries, head: page.head, revision: page.revision };
  }

  async #readOnce(after: number, maxBytes: number, options: CallOptions | undefined): Promise<ReadPage> {
    const { head: headKey, logEnd } = this.#keys;
    const limit = Math.min(MAX_ENTRIES, Math.max(1, Math.floor(maxBytes / this.#entryBytes)));
    const log = { key: this.#keys.entry(after + 1), rangeEnd: logEnd, limit };
    const first = { key: this.#keys.log, rangeEnd: logEnd, limit: 1, keysOnly: true };
    const steps = [{ key: headKey }, log, first];
    const [heads, found, oldest] = await this.ranges("reading the log", steps, options);
    const head = this.#headUnlessLost(heads?.kvs[0], oldest?.kvs[0]);
    if (head === undefined) throw unclaimed(this.#name);
    const revision = heads?.header.revision ?? "0";
    if (after >= head.lsn) return { entries: [], head, revision };
    const entries = (found?.kvs ?? []).map((kv) => this.entryOf(kv));
    const firstLsn = entries[0]?.firstLsn;
    if (firstLsn === undefined || firstLsn > after + 1) throw truncated(this.#name, after, firstLsn, head);
    this.#checkContinuation(entries);
    this.#entryBytes = Math.max(64, Math.ceil(sizeOf(entries) / entries.length));
    return { entries: atMost(entries, maxBytes), head, revision };
  }

  /** @throws KayaError KAYA_CORRUPTION if Kaya did not write the key */
  entryOf(kv: KeyValue): LogEntry {
    const lsn = this.#keys.lsnOf(kv.key);
    if (lsn === undefined)
      throw new KayaError(
        "KAYA_CORRUPTION",
        `${this.#name}: key ${kv.key.toString()} does not belong to the log`,
      );
    return decodeEntry(this.#name, lsn, kv.value);
  }

  #checkContinuation(entries: readonly LogEntry[]): void {
    for (const [index, entry] of entries.entries()) {
      const before = entries[index - 1];
      if (before !== undefined && entry.firstLsn !== before.lastLsn + 1)
        throw new KayaError(
          "KAYA_CORRUPTION",
          `${this.#name}: the entry that ends with LSN ${before.lastLsn} is followed by one that begins with LSN ${entry.firstLsn}`,
        );
    }
  }

  #headUnlessLost(kv: KeyValue | undefined, entry: KeyValue | undefined): LogHead | undefined {
    if (kv === undefined && entry !== undefined)
      throw new KayaError(
        "KAYA_CORRUPTION",
        `${this.#name}: there are entries, but no head: somebody deleted the key ${this.#keys.head.toString()}. Restore etcd`,
      );
    return this.headOf(kv);
  }

  /** Reads several ranges at one moment. */
  async ranges(
    doing: string,
    requests: readonly RangeRequest[],
    options: CallOptions | undefined,
  ): Promise<RangeResponse[]> {
    const request: TxnRequest = { success: requests.map((each) => ({ requestRange: each })) };
    const { header, responses } = await this.#client.read(doing, RPC.txn, request, options);
    return responses.map(({ responseRange }) => ({ ...(responseRange as RangeResponse), header }));
  }
}

function sizeOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function atMost(entries: readonly LogEntry[], maxBytes: number): LogEntry[] {
  let bytes = 0;
  return entries.filter((entry, index) => {
    bytes += entry.bytes.length;
    return index === 0 || bytes <= maxBytes;
  });
}
