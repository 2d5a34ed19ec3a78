const LSN_DIGITS = 16; // of 2^53

/** The names of a log's keys. `log/` sorts by LSN, and nothing but `head` and the entries is between `head` and `logEnd`. */
export class EtcdKeys {
  /** Of all keys of the log. */
  readonly all: Buffer;
  /** Behind all keys of the log. */
  readonly end: Buffer;
  /** The head. */
  readonly head: Buffer;
  /** The base, and the epoch that claimed it. */
  readonly base: Buffer;
  /** The node that was asked to become the writer. */
  readonly wanted: Buffer;
  /** Behind `wanted`. */
  readonly wantedEnd: Buffer;
  /** Of all nodes. */
  readonly nodes: Buffer;
  /** Behind all nodes. */
  readonly nodesEnd: Buffer;
  /** Before all entries. */
  readonly log: Buffer;
  /** Behind all entries. */
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

  /** The entry whose last record has that LSN. */
  entry(lastLsn: number): Buffer {
    return Buffer.from(`${this.#prefix}/log/${String(lastLsn).padStart(LSN_DIGITS, "0")}`);
  }

  /** The LSN of an entry's key; undefined if it is none. */
  lsnOf(key: Buffer): number | undefined {
    const name = key.toString("latin1");
    const digits = name.slice(this.log.length);
    return key.subarray(0, this.log.length).equals(this.log) && /^\d{16}$/.test(digits)
      ? Number(digits)
      : undefined;
  }

  /** A node's presence. */
  node(id: string): Buffer {
    return Buffer.from(`${this.#prefix}/nodes/${id}`);
  }

  /** True for a key that this log may have. */
  isOurs(key: Buffer): boolean {
    if (key.equals(this.head) || key.equals(this.base) || key.equals(this.wanted)) return true;
    return this.lsnOf(key) !== undefined || key.subarray(0, this.nodes.length).equals(this.nodes);
  }
}
