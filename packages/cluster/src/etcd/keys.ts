const LSN_DIGITS = 16; // as many as 2^53 has

/** The names of a log's keys. The keys below `log/` sort by LSN. Only `head` and the entries lie between `head` and `logEnd`. */
export class EtcdKeys {
  /** The first possible key of the log. */
  readonly all: Buffer;
  /** The end of all keys of the log (exclusive). */
  readonly end: Buffer;
  /** The key of the head. */
  readonly head: Buffer;
  /** The key of the base, and of the epoch that claimed the log last. */
  readonly base: Buffer;
  /** The key of the node that was asked to become the writer. */
  readonly wanted: Buffer;
  /** The end of the range with only `wanted` (exclusive). */
  readonly wantedEnd: Buffer;
  /** The beginning of the keys of all nodes. */
  readonly nodes: Buffer;
  /** The end of the keys of all nodes (exclusive). */
  readonly nodesEnd: Buffer;
  /** The beginning of the keys of all entries. */
  readonly log: Buffer;
  /** The end of the keys of all entries (exclusive). */
  readonly logEnd: Buffer;
  readonly #prefix: string;

  constructor(prefix: string) {
    const key = (name: string) => Buffer.from(`${prefix}/${name}`);
    this.#prefix = prefix;
    this.all = key("");
    this.end = Buffer.from(`${prefix}0`); // "0" follows "/"
    this.head = key("head");
    this.base = key("base");
    this.wanted = key("wanted");
    this.wantedEnd = key("wanted\0");
    this.nodes = key("nodes/");
    this.nodesEnd = key("nodes0");
    this.log = key("log/");
    this.logEnd = key("log0");
  }

  /** The key of the entry whose last record has that LSN. */
  entry(lastLsn: number): Buffer {
    return Buffer.from(`${this.#prefix}/log/${String(lastLsn).padStart(LSN_DIGITS, "0")}`);
  }

  /** The LSN of an entry's key; undefined if the key is not the key of an entry. */
  lsnOf(key: Buffer): number | undefined {
    const name = key.toString("latin1");
    const digits = name.slice(this.log.length);
    return key.subarray(0, this.log.length).equals(this.log) && /^\d{16}$/.test(digits)
      ? Number(digits)
      : undefined;
  }

  /** The key of a node's presence. */
  node(id: string): Buffer {
    return Buffer.from(`${this.#prefix}/nodes/${id}`);
  }

  /** True if the key can belong to this log. */
  isOurs(key: Buffer): boolean {
    if (key.equals(this.head) || key.equals(this.base) || key.equals(this.wanted)) return true;
    return this.lsnOf(key) !== undefined || key.subarray(0, this.nodes.length).equals(this.nodes);
  }
}
