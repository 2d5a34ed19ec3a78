import { KayaError } from "@kaya/core";
import {
  appendedHead,
  checkBase,
  checkEntry,
  checkPresence,
  checkTrim,
  claimedHead,
  DEFAULT_READ_BYTES,
  fenced,
  type StoredBase,
  type StoredHead,
  unclaimed,
} from "../log-rules.js";
import type {
  CallOptions,
  LogBase,
  LogClaim,
  LogEntry,
  LogHead,
  LogPage,
  Members,
  NodeInfo,
  Presence,
  SharedLog,
} from "../shared-log.js";
import { EtcdClient } from "./etcd-client.js";
import { diskFull, EtcdError, inDoubt } from "./etcd-errors.js";
import { EtcdFollower } from "./etcd-follower.js";
import { EtcdHistory } from "./etcd-history.js";
import { EtcdPresence, watchMembers } from "./etcd-presence.js";
import { EtcdReader } from "./etcd-reader.js";
import { EtcdKeys } from "./keys.js";
import { checkEtcdOptions, type EtcdLogOptions, type EtcdSettings } from "./options.js";
import {
  type Compare,
  type KeyValue,
  type RequestOp,
  RPC,
  type TxnRequest,
  type TxnResponse,
} from "./protocol.js";
import { decodeNode, decodeWanted, encodeBase, encodeEntry, encodeHead, encodeWanted } from "./values.js";

const MIB = 1024 * 1024;
const TRIM_KEYS = 1000;
const CLAIM_ATTEMPTS = 10;
const ALARMS = ["NONE", "NOSPACE", "CORRUPT"];

/** An alarm of one member of etcd. */
export interface EtcdAlarm {
  /** The member's id, in hexadecimal as `etcdctl` has it. */
  readonly member: string;
  /** `NOSPACE`: the quota is reached, and etcd accepts no writes. `CORRUPT`: the data of the members differs. */
  readonly alarm: string;
}

/** A shared log in etcd. */
export interface EtcdLog extends SharedLog {
  /** The alarms that are raised in etcd. */
  alarms(options?: CallOptions): Promise<EtcdAlarm[]>;
}

/**
 * A shared log in etcd 3.4.20 or newer (of 3.5: 3.5.5 or newer), over gRPC. It connects with the first call. An entry has at most 1 MiB.
 * @throws KayaError KAYA_INVALID_ARGUMENT, naming the wrong option
 */
export function etcdLog(options: EtcdLogOptions): EtcdLog {
  return new EtcdSharedLog(checkEtcdOptions(options));
}

class EtcdSharedLog implements EtcdLog {
  readonly name: string;
  readonly maxEntryBytes = MIB;
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #reader: EtcdReader;
  readonly #history: EtcdHistory;

  constructor(settings: EtcdSettings) {
    this.name = settings.name;
    this.#client = new EtcdClient(settings);
    this.#keys = new EtcdKeys(settings.prefix);
    this.#reader = new EtcdReader(this.name, this.#client, this.#keys);
    this.#history = new EtcdHistory(this.#client, settings.isCompacting);
  }

  head(options?: CallOptions): Promise<LogHead | undefined> {
    return this.#reader.head(options);
  }

  async claim(expected: LogHead | undefined, claim: LogClaim, options?: CallOptions): Promise<LogHead> {
    const next = claimedHead(expected, claim);
    for (let attempt = 0; attempt < CLAIM_ATTEMPTS; attempt++) {
      const state =
        expected === undefined ? await this.#reader.unclaimed(options) : await this.#reader.base(options);
      const request = this.#claimOf(expected, next, state);
      const answer = await this.#write(
        "the claim",
        request,
        () => this.#assertNotClaimed(next, options),
        options,
      );
      if (answer.succeeded) return { ...next, version: answer.header.revision };
      const head = this.#reader.headOf(answer.responses[0]?.responseRange?.kvs[0]);
      if (head?.version !== expected?.version) throw fenced(this.name, "the claim", head);
      // Only the base changed between the read and the claim. This attempt did nothing, so another one is safe.
    }
    throw new KayaError(
      "KAYA_NO_MAJORITY",
      `${this.name}: the base changed during each of ${CLAIM_ATTEMPTS} attempts to claim the log`,
    );
  }

  async append(expected: LogHead, entry: LogEntry, options?: CallOptions): Promise<LogHead> {
    checkEntry(this.name, expected, entry, this.maxEntryBytes);
    const next = appendedHead(expected, entry);
    const head = encodeHead(next);
    const request: TxnRequest = {
      compare: [unchanged(this.#keys.head, expected.version)],
      success: [put(this.#keys.entry(entry.lastLsn), encodeEntry(entry)), put(this.#keys.head, head)],
      failure: [range(this.#keys.head)],
    };
    const answer = await this.#transaction("the append", request, next, options);
    if (!answer.succeeded)
      throw fenced(this.name, "the append", this.#reader.headOf(answer.responses[0]?.responseRange?.kvs[0]));
    this.#history.superseded(expected.version, head.length);
    return { ...next, version: answer.header.revision };
  }

  read(after: number, options?: CallOptions & { readonly maxBytes?: number }): Promise<LogPage> {
    return this.#reader.read(after, options?.maxBytes ?? DEFAULT_READ_BYTES, options);
  }

  follow(
    after: number,
    options: { readonly signal: AbortSignal; readonly onTrouble?: (error: unknown) => void },
  ): AsyncIterable<LogPage> {
    return new EtcdFollower(this.name, this.#client, this.#keys, this.#reader).follow(after, options);
  }

  async base(options?: CallOptions): Promise<LogBase | undefined> {
    return (await this.#reader.base(options)).base;
  }

  async setBase(expected: LogBase | undefined, next: StoredBase, options?: CallOptions): Promise<LogBase> {
    const doing = `naming base ${next.name}`;
    const { head, base, claimed, version } = await this.#reader.base(options);
    if (head === undefined) throw unclaimed(this.name);
    if (base?.version !== expected?.version || claimed !== next.epoch) throw fenced(this.name, doing, head);
    checkBase(this.name, expected, next, head);
    const request: TxnRequest = {
      compare: [unchanged(this.#keys.base, version)],
      success: [put(this.#keys.base, encodeBase(claimed, next))],
      failure: [range(this.#keys.head)],
    };
    const isDone = async () => {
      const found = await this.#reader.base(options);
      return found.base?.name === next.name && found.base.lsn === next.lsn ? found.version : undefined;
    };
    const answer = await this.#write(doing, request, isDone, options);
    if (!answer.succeeded)
      throw fenced(this.name, doing, this.#reader.headOf(answer.responses[0]?.responseRange?.kvs[0]));
    return { ...next, version: answer.header.revision };
  }

  async trim(base: LogBase, through: number, options?: CallOptions): Promise<void> {
    checkTrim(this.name, base, through);
    const rangeEnd = this.#keys.entry(through + 1);
    let isMore = true;
    let revision: string | undefined;
    // The keys are removed in steps, because etcd serves nothing else while it removes keys.
    while (isMore) {
      const page = await this.#reader.range(
        { key: this.#keys.log, rangeEnd, limit: TRIM_KEYS, keysOnly: true },
        options,
      );
      const last = page.kvs.at(-1)?.key;
      isMore = page.more && last !== undefined;
      const end = isMore && last !== undefined ? Buffer.concat([last, Buffer.of(0)]) : rangeEnd;
      const request: TxnRequest = {
        compare: [unchanged(this.#keys.base, base.version)],
        success: [{ requestDeleteRange: { key: this.#keys.log, rangeEnd: end } }],
        failure: [range(this.#keys.head)],
      };
      const answer = await this.#write("trimming", request, async () => undefined, options);
      if (!answer.succeeded)
        throw fenced(this.name, "trimming", this.#reader.headOf(answer.responses[0]?.responseRange?.kvs[0]));
      revision = answer.header.revision;
    }
    if (revision !== undefined) this.#history.trimmed(revision);
  }

  async announce(node: NodeInfo, ttlMs: number, options?: CallOptions): Promise<Presence> {
    checkPresence(this.name, node, ttlMs);
    return await EtcdPresence.announce(this.name, this.#client, this.#keys, node, ttlMs, options);
  }

  async members(options?: CallOptions): Promise<Members> {
    const { nodes, nodesEnd, wanted: wantedKey } = this.#keys;
    const steps = [{ key: nodes, rangeEnd: nodesEnd }, { key: wantedKey }];
    const [found, asked] = await this.#reader.ranges("reading the members", steps, options);
    const decode = <T>(kv: KeyValue, run: (name: string, kv: KeyValue) => T) =>
      unlessForeign(() => run(this.name, kv));
    return {
      nodes: (found?.kvs ?? []).map((kv) => decode(kv, decodeNode)).filter((node) => node !== undefined),
      wanted: asked?.kvs.map((kv) => decode(kv, decodeWanted))[0],
    };
  }

  async want(nodeId: string | undefined, options?: CallOptions): Promise<void> {
    const { wanted } = this.#keys;
    const step: RequestOp =
      nodeId === undefined ? { requestDeleteRange: { key: wanted } } : put(wanted, encodeWanted(nodeId));
    const isDone = async () => ((await this.members(options)).wanted === nodeId ? "" : undefined);
    await this.#write("asking for another writer", { success: [step] }, isDone, options);
  }

  watchMembers(onChange: () => void, options: { readonly signal: AbortSignal }): void {
    watchMembers(this.#client, this.#keys, onChange, options.signal);
  }

  async alarms(options?: CallOptions): Promise<EtcdAlarm[]> {
    const { alarms } = await this.#client.read("reading the alarms", RPC.alarm, {}, options);
    return alarms.map(({ memberID, alarm }) => ({
      member: BigInt(memberID).toString(16),
      alarm: ALARMS[alarm] ?? String(alarm),
    }));
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  #claimOf(
    expected: LogHead | undefined,
    next: StoredHead,
    state: { readonly base: LogBase | undefined; readonly version: string },
  ): TxnRequest {
    const { head, base, wanted, log, logEnd } = this.#keys;
    const isWanted: Compare = { target: 3, key: wanted, value: encodeWanted(next.writer) };
    const isEmpty: Compare = { target: 2, key: log, rangeEnd: logEnd, modRevision: 0 };
    return {
      compare: [
        unchanged(head, expected?.version ?? "0"),
        unchanged(base, state.version),
        ...(expected === undefined ? [isEmpty] : []),
      ],
      success: [
        put(head, encodeHead(next)),
        put(base, encodeBase(next.epoch, state.base)),
        { requestTxn: { compare: [isWanted], success: [{ requestDeleteRange: { key: wanted } }] } },
      ],
      failure: [range(head)],
    };
  }

  /**
   * A read cannot show whether this claim was done: another process with the same node id may have made the same head. So the claim stays
   * in doubt.
   */
  async #assertNotClaimed(
    { epoch, writer }: StoredHead,
    options: CallOptions | undefined,
  ): Promise<undefined> {
    const head = await this.#reader.head(options);
    if (head?.epoch === epoch && head.writer === writer)
      throw new Error(
        "etcd has no room, and the head may come from this claim, or from another claim of the same node",
      );
  }

  // Sends the transaction of an append.
  #transaction(
    doing: string,
    request: TxnRequest,
    next: StoredHead,
    options: CallOptions | undefined,
  ): Promise<TxnResponse> {
    const isDone = async () => {
      const head = await this.#reader.head(options);
      const isNext = head?.epoch === next.epoch && head.lsn === next.lsn && head.writer === next.writer;
      return isNext ? head.version : undefined;
    };
    return this.#write(doing, request, isDone, options);
  }

  /**
   * Makes one attempt. etcd applies the first transaction beyond its quota, and answers it with an error. So after that error a read
   * decides whether it was done.
   * @param isDone resolves to the revision of the transaction; undefined if it was not done
   */
  async #write(
    doing: string,
    request: TxnRequest,
    isDone: () => Promise<string | undefined>,
    options: CallOptions | undefined,
  ): Promise<TxnResponse> {
    try {
      return await this.#client.write(doing, RPC.txn, request, options);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      let revision: string | undefined;
      try {
        revision = await isDone();
      } catch (cause) {
        throw inDoubt(this.name, doing, cause);
      }
      if (revision === undefined) throw diskFull(this.name, doing, error);
      return { header: { revision }, succeeded: true, responses: [] };
    }
  }
}

/**
 * The value of a presence or of a request for another writer; undefined if Kaya did not write it. Neither protects anything (C8), so a
 * foreign value must not stop nodes from taking over.
 */
function unlessForeign<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (KayaError.is(error, "KAYA_CORRUPTION")) return undefined;
    throw error;
  }
}

function unchanged(key: Buffer, modRevision: string): Compare {
  return { target: 2, key, modRevision };
}

function put(key: Buffer, value: Buffer): RequestOp {
  return { requestPut: { key, value } };
}

function range(key: Buffer): RequestOp {
  return { requestRange: { key } };
}
