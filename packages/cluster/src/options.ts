import { describe, KayaError, type PartialEngineConfig, readOptions, resolveEngineConfig } from "@kaya/core";
import { checkBlobStore } from "./blob/check-blob-store.js";
import type { BlobStore } from "./blob-store.js";
import type { SharedLog } from "./shared-log.js";

/** The options of a node: the shared log, the node's part in the cluster, and the options of its engine. */
export interface ClusterOptions extends Omit<PartialEngineConfig, "readOnly"> {
  /** The log that all nodes share. The node closes it when it closes, so each node needs an object of its own. */
  readonly log: SharedLog;
  /** `"auto"`: the node becomes the writer when there is none. `"follower"`: it only follows, until it is promoted. Default `"auto"`. */
  readonly role?: "auto" | "follower";
  /** The address at which clients reach this node. Other nodes show it as `leader`, also in errors. 1 to 1,024 characters. Default: none. */
  readonly address?: string;
  /**
   * The id of the node. It must be unique among the nodes, and stay the same after a restart. 1 to 1,024 characters. Default: a random id
   * that is made at the first opening and kept in the directory.
   */
  readonly nodeId?: string;
  /**
   * The store of bases: copies of the data that allow the node to trim the shared log. All nodes share one store. Without it the log is
   * never trimmed, and writes reject when it has reached `tailMaxBytes`.
   */
  readonly blobStore?: BlobStore;
  /** How long a write tries to reach the shared log, and how long a linearizable read may take. Milliseconds, 100 to 600,000; default 10,000. */
  readonly commitTimeoutMs?: number;
  /**
   * How long this node's presence lasts after its last renewal. If the writer's presence expires, another node takes over. Milliseconds,
   * 100 to 600,000; default 2,000.
   */
  readonly presenceMs?: number;
  /** The largest size of the records in the shared log, in bytes. At least four times the largest entry. Default 256 MiB. */
  readonly tailMaxBytes?: number;
  /**
   * True: makes an ordinary store the first node of a new log. Its data is uploaded into the `blobStore` as the first base. No effect if
   * the log has begun. Default false.
   */
  readonly adopt?: boolean;
}

/** The options of a node, with all defaults filled in. */
export interface ResolvedClusterOptions {
  /** For the engine. */
  readonly engine: PartialEngineConfig;
  readonly log: SharedLog;
  readonly isFollowerOnly: boolean;
  readonly address: string | undefined;
  readonly nodeId: string | undefined;
  readonly blobStore: BlobStore | undefined;
  readonly commitTimeoutMs: number;
  readonly presenceMs: number;
  readonly tailMaxBytes: number;
  readonly adopt: boolean;
}

const OWN = [
  "log",
  "role",
  "address",
  "nodeId",
  "blobStore",
  "commitTimeoutMs",
  "presenceMs",
  "tailMaxBytes",
  "adopt",
] as const;
const OF_ENGINE = [
  "dataDir",
  "durability",
  "wal",
  "limits",
  "memory",
  "compression",
  "tables",
  "changes",
  "allowForeignFiles",
  "disableLocking",
] as const;

const MiB = 1024 * 1024;
const LONGEST_MS = 600_000;
const SHORTEST_MS = 100;
/** Some methods that a shared log must have, so that a wrong `log` is recognized before anything is opened. */
const LOG_METHODS = ["head", "claim", "append", "read", "follow"] as const;

/**
 * Fills in the defaults and validates the options.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function resolveClusterOptions(given: ClusterOptions): ResolvedClusterOptions {
  const what = "the options of a node";
  const options = readOptions(given, [...OWN, ...OF_ENGINE], what);
  const log = readLog(options.log);
  const engine: Record<string, unknown> = {};
  for (const key of OF_ENGINE) if (options[key] !== undefined) engine[key] = options[key];
  engine.wal = readWal(options.wal, log);
  const config = engine as PartialEngineConfig;
  resolveEngineConfig(config); // throws before anything is opened
  const entryBytes = log.maxEntryBytes;
  return {
    engine: config,
    log,
    isFollowerOnly: readRole(options.role) === "follower",
    address: readText(options.address, "address"),
    nodeId: readText(options.nodeId, "nodeId"),
    blobStore: options.blobStore === undefined ? undefined : checkBlobStore(options.blobStore, "blobStore"),
    commitTimeoutMs: readInteger(options.commitTimeoutMs, "commitTimeoutMs", 10_000, SHORTEST_MS, LONGEST_MS),
    presenceMs: readInteger(options.presenceMs, "presenceMs", 2_000, SHORTEST_MS, LONGEST_MS),
    tailMaxBytes: readInteger(
      options.tailMaxBytes,
      "tailMaxBytes",
      Math.max(256 * MiB, 4 * entryBytes),
      4 * entryBytes,
    ),
    adopt: readBoolean(options.adopt, "adopt"),
  };
}

function readLog(log: unknown): SharedLog {
  const isLog =
    typeof log === "object" &&
    log !== null &&
    LOG_METHODS.every((name) => typeof (log as Record<string, unknown>)[name] === "function");
  if (!isLog) throw invalid(`log must be a shared log, for example of \`etcdLog\`, not ${describe(log)}`);
  return log as SharedLog;
}

/** The options of the local log. A group commit, and so its largest record, must fit into one entry of the shared log. */
function readWal(wal: unknown, log: SharedLog): unknown {
  const given = wal === undefined ? {} : wal;
  if (typeof given !== "object" || given === null) return given; // the engine refuses it later
  const limits = given as { maxBatchBytes?: unknown; maxRecordBytes?: unknown; segmentMaxBytes?: unknown };
  const { segmentMaxBytes } = limits;
  const most =
    typeof segmentMaxBytes === "number" ? Math.min(segmentMaxBytes, log.maxEntryBytes) : log.maxEntryBytes;
  const limited = (name: "maxBatchBytes" | "maxRecordBytes") => {
    const value = limits[name];
    if (typeof value !== "number") return value ?? most;
    if (value > log.maxEntryBytes)
      throw invalid(
        `wal.${name} (${value}) must not be over ${log.maxEntryBytes}, the largest size of an entry of ${log.name}`,
      );
    return value;
  };
  return { ...limits, maxBatchBytes: limited("maxBatchBytes"), maxRecordBytes: limited("maxRecordBytes") };
}

function readRole(role: unknown): "auto" | "follower" {
  if (role === undefined || role === "auto" || role === "follower") return role ?? "auto";
  throw invalid(`role must be "auto" or "follower", not ${describe(role)}`);
}

function readText(value: unknown, name: string): string | undefined {
  if (value === undefined) return undefined;
  // It must be one line: it appears in messages, and a file keeps it.
  if (typeof value === "string" && /^[^\p{C}\p{Zl}\p{Zp}]{1,1024}$/u.test(value)) return value;
  throw invalid(`${name} must be one line of 1 to 1,024 characters, not ${describe(value)}`);
}

function readInteger(
  value: unknown,
  name: string,
  fallback: number,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
) {
  if (value === undefined) return fallback;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw invalid(`${name} must be a whole number from ${min} to ${max}, not ${describe(value)}`);
}

function readBoolean(value: unknown, name: string): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? false;
  throw invalid(`${name} must be true or false, not ${describe(value)}`);
}

function invalid(message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", message);
}
