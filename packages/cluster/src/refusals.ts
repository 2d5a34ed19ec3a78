import { KayaError } from "@kaya/core";
import type { LogHead } from "./shared-log.js";

/** The error of a write on a node that is not the writer. */
export function notLeader(name: string, { writer, address, epoch }: LogHead): KayaError {
  const where = address === undefined ? "It gave no address" : `Write there: ${address}`;
  return new KayaError(
    "KAYA_NOT_LEADER",
    `${name}: node ${writer} is the writer, since epoch ${epoch}. Nothing was written. ${where}.`,
    { leader: address },
  );
}

/** The error of a write if this node knows of no writer. */
export function noWriter(name: string, trouble: KayaError | undefined): KayaError {
  if (trouble === undefined)
    return new KayaError(
      "KAYA_NOT_LEADER",
      `${name}: this node is not the writer, and knows of no writer. Nothing was written: try again in a moment.`,
    );
  return new KayaError(
    "KAYA_NO_MAJORITY",
    `${name}: the shared log does not answer (${trouble.message}), and no writer is known. Nothing was written: try again when a majority is back.`,
    { cause: trouble },
  );
}

/** This node's directory takes no writes. */
export function noRoom(name: string, cause: KayaError): KayaError {
  return new KayaError(
    cause.code,
    `${name}: this node cannot become the writer, because its directory takes no writes. Nothing was written. Make room, or mend the disk: the node looks again by itself. First: ${cause.message}`,
    { cause },
  );
}

/** The error if the log has an epoch in the name of this node that this process did not claim. */
export function sameNode(name: string, { writer, epoch }: LogHead): KayaError {
  return new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${name}: epoch ${epoch} was claimed for node ${writer}, but not by this process (or a late claim of this process arrived). If this repeats, another process has the same id: give each node its own \`nodeId\`. A copy of a data directory has the id of the original in its file NODE.`,
  );
}

/** The error of a write if the node did not become the writer in time. */
export function stillClaiming(name: string, timeoutMs: number): KayaError {
  return new KayaError(
    "KAYA_NO_MAJORITY",
    `${name}: this node did not become the writer in ${timeoutMs} ms. Nothing was written: try again.`,
  );
}

/** The error of a write on a node that failed. */
export function writesFailed(failure: KayaError): KayaError {
  return new KayaError(
    "KAYA_WRITER_FAILED",
    `this node failed. It accepts no writes, and takes no records of the shared log. Close it, remove the cause, and open it again. Cause: ${failure.message}`,
    { cause: failure },
  );
}
