import type { KayaError, Lsn } from "@kaya/core";
import { type Distribution, Histogram } from "@kaya/wal";
import type { NodeRole } from "./channels.js";

/** Counts and positions of a node of a cluster. The counts start when the node is opened. */
export interface ClusterStats {
  /** The id of the node. */
  readonly nodeId: string;
  /** Its current role. */
  readonly role: NodeRole;
  /** The epoch of the newest head that it has seen; 0 before it has seen one. */
  readonly epoch: number;
  /** The address of the writer; undefined if no writer is known, or it gave no address. */
  readonly leader: string | undefined;
  /** LSN of the last record that can be read on this node. */
  readonly lsn: Lsn;
  /** LSN of the last record of the newest head that it has seen. */
  readonly headLsn: Lsn;
  /** The number of records up to that head that the node does not have yet. */
  readonly lagRecords: number;
  /** How long the node has known of records that it does not have, in milliseconds; 0 if it has all. */
  readonly lagMs: number;
  /** Milliseconds since the last answer of the shared log; undefined before the first. */
  readonly contactAgeMs: number | undefined;
  /** The group commits that this node appended to the shared log. */
  readonly appends: {
    /** The number of appended group commits. */
    readonly count: number;
    /** Bytes of their records. */
    readonly bytes: number;
    /** From the first attempt until the log confirmed it, in milliseconds. */
    readonly durationMs: Distribution;
  };
  /** Attempts to append that got no answer. */
  readonly doubts: number;
  /** Group commits that were refused, by reason. */
  readonly rejections: {
    /** A group commit was refused because another node had become the writer. */
    readonly fenced: number;
    /** No answer came in time: the group commit may be in the log. */
    readonly inDoubt: number;
    /** No majority answered. */
    readonly noMajority: number;
    /** The log was full, or had reached its bound. */
    readonly diskFull: number;
    /** Refused for any other reason. */
    readonly other: number;
  };
  /** How often this node became the writer. */
  readonly claims: number;
  /** How many of `claims` took the log over from another node. */
  readonly takeovers: number;
  /** The part of the shared log that was not trimmed. Only the writer knows its bytes; on other nodes they are 0. */
  readonly tail: {
    /** Bytes of the records in it. */
    readonly bytes: number;
    /** The configured bound: `tailMaxBytes`. */
    readonly limitBytes: number;
  };
  /** The newest base that this node knows of. */
  readonly base:
    | {
        /** LSN of the last record of the base. */
        readonly lsn: Lsn;
      }
    | undefined;
  /** The number of bases that this node made. */
  readonly bases: number;
  /** How often this node trimmed the log. */
  readonly trims: number;
  /** How often this node had to load a base, because records that it needed had been trimmed. */
  readonly baseLoads: number;
  /** Linearizable reads, and how long they waited. */
  readonly linearizableReads: {
    /** The number of linearizable reads. */
    readonly count: number;
    /** How long they waited before they read the data, in milliseconds. */
    readonly durationMs: Distribution;
  };
  /** The number of failed calls that were tried again. */
  readonly troubles: number;
  /** The error of the last of them. */
  readonly lastTrouble: KayaError | undefined;
}

/** The counters of a node. */
export class ClusterCounters {
  readonly #appended = new Histogram();
  readonly #waited = new Histogram();
  readonly #rejections = { fenced: 0, inDoubt: 0, noMajority: 0, diskFull: 0, other: 0 };
  #bytes = 0;
  #doubts = 0;
  #lastTrouble: KayaError | undefined;
  claims = 0;
  takeovers = 0;
  bases = 0;
  trims = 0;
  baseLoads = 0;
  troubles = 0;

  trouble(error: KayaError): void {
    this.troubles++;
    this.#lastTrouble = error;
  }

  appended(bytes: number, durationMs: number): void {
    this.#bytes += bytes;
    this.#appended.record(durationMs * 1_000);
  }

  doubted(): void {
    this.#doubts++;
  }

  refused({ code }: KayaError): void {
    const reasons = {
      KAYA_FENCED: "fenced",
      KAYA_IN_DOUBT: "inDoubt",
      KAYA_NO_MAJORITY: "noMajority",
      KAYA_DISK_FULL: "diskFull",
    } as const;
    this.#rejections[code in reasons ? reasons[code as keyof typeof reasons] : "other"]++;
  }

  madeLinearizable(durationMs: number): void {
    this.#waited.record(durationMs * 1_000);
  }

  /** The part of the statistics that the counters give. */
  get counts() {
    return {
      appends: {
        count: this.#appended.count,
        bytes: this.#bytes,
        durationMs: this.#appended.distribution(1_000),
      },
      doubts: this.#doubts,
      rejections: { ...this.#rejections },
      claims: this.claims,
      takeovers: this.takeovers,
      bases: this.bases,
      trims: this.trims,
      baseLoads: this.baseLoads,
      linearizableReads: { count: this.#waited.count, durationMs: this.#waited.distribution(1_000) },
      troubles: this.troubles,
      lastTrouble: this.#lastTrouble,
    };
  }
}
