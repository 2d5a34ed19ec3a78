import type { KayaError, Lsn } from "@kaya/core";
import { type Distribution, Histogram } from "@kaya/wal";
import type { NodeRole } from "./channels.js";

/** Counts and position of a node of a cluster. Counts begin with its opening. */
export interface ClusterStats {
  /** The id of the node. */
  readonly nodeId: string;
  /** Its role now. */
  readonly role: NodeRole;
  /** The epoch of the newest head that it has seen; 0: none yet. */
  readonly epoch: number;
  /** The address of the writer; undefined if no writer is known, or it gave no address. */
  readonly leader: string | undefined;
  /** The last record that can be read here. */
  readonly lsn: Lsn;
  /** The last record of the newest head that it has seen. */
  readonly headLsn: Lsn;
  /** How many records up to that head the node lacks. */
  readonly lagRecords: number;
  /** How long the node has lacked records that it knows of, in milliseconds; 0 if it has all. */
  readonly lagMs: number;
  /** Milliseconds since the last answer of the shared log; undefined before the first. */
  readonly contactAgeMs: number | undefined;
  /** Group commits that this node put into the shared log. */
  readonly appends: {
    /** How many group commits are in the log. */
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
    /** Another node had become the writer. */
    readonly fenced: number;
    /** No answer came in time: it may be in the log. */
    readonly inDoubt: number;
    /** No majority answered. */
    readonly noMajority: number;
    /** The log, or its bound, was full. */
    readonly diskFull: number;
    /** Refused for any other reason. */
    readonly other: number;
  };
  /** How often this node became the writer. */
  readonly claims: number;
  /** How many of `claims` followed another node. */
  readonly takeovers: number;
  /** The part of the shared log that was not trimmed. Bytes are known to the writer only, otherwise 0. */
  readonly tail: {
    /** Bytes of its records. */
    readonly bytes: number;
    /** The configured bound: `tailMaxBytes`. */
    readonly limitBytes: number;
  };
  /** The newest base that this node knows of. */
  readonly base:
    | {
        /** The last record that is in it. */
        readonly lsn: Lsn;
      }
    | undefined;
  /** Bases that this node made. */
  readonly bases: number;
  /** How often this node trimmed the log. */
  readonly trims: number;
  /** How often this node had to begin with a base, because the log had been trimmed. */
  readonly baseLoads: number;
  /** Reads that were made linearizable, and how long that took. */
  readonly linearizableReads: {
    /** How many reads were made linearizable. */
    readonly count: number;
    /** How long they waited before they read, in milliseconds. */
    readonly durationMs: Distribution;
  };
  /** Failures that were tried again. */
  readonly troubles: number;
  /** The last of them. */
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

  /** The counters' part of the statistics. */
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
