import type { ClientDuplexStream } from "@grpc/grpc-js";
import type { EtcdClient } from "./etcd-client.js";
import { type Int64, RPC, type WatchRequest, type WatchResponse } from "./protocol.js";

/** The keys to watch. The watch begins at a revision; without one it begins now. */
export interface WatchRange {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
  readonly startRevision?: Int64;
}

/** A watch that cannot go on: etcd cancelled it, or the stream ended. */
export class WatchEnded extends Error {
  override readonly name = "WatchEnded";
  /** True: the watch needs history that was compacted. Read the log, and watch from the revision of that read. */
  readonly isCompacted: boolean;

  constructor(reason: string, isCompacted: boolean) {
    super(reason);
    this.isCompacted = isCompacted;
  }
}

/**
 * Watches keys. Resolves to the events when etcd has begun to watch. The watch ends when the signal aborts.
 * @throws WatchEnded, or the error of the stream
 */
export async function watchKeys(
  client: EtcdClient,
  range: WatchRange,
  signal: AbortSignal,
): Promise<AsyncGenerator<WatchResponse>> {
  const stream = await client.stream("watching", RPC.watch, { signal });
  const answers = answersOf(stream, signal);
  stream.write({ createRequest: { ...range, fragment: true } });
  const limit = setTimeout(() => stream.cancel(), client.timeoutMs);
  try {
    const first = await answers.next();
    if (first.done !== true && !first.value.created)
      throw new WatchEnded("etcd does not start the watch", false);
  } finally {
    clearTimeout(limit);
  }
  return answers;
}

async function* answersOf(
  stream: ClientDuplexStream<WatchRequest, WatchResponse>,
  signal: AbortSignal,
): AsyncGenerator<WatchResponse> {
  const cancel = () => stream.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  try {
    for await (const answer of stream as AsyncIterable<WatchResponse>) {
      if (answer.canceled) throw ended(answer);
      yield answer;
    }
    if (!signal.aborted) throw new WatchEnded("the member of etcd ended the watch", false);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", cancel);
    // A cancelled stream emits its own cancellation as an error. This listener ignores it.
    stream.on("error", () => {});
    stream.cancel();
  }
}

function ended({ compactRevision, cancelReason }: WatchResponse): WatchEnded {
  const isCompacted = compactRevision !== "0";
  const reason = isCompacted ? `history was compacted at revision ${compactRevision}` : cancelReason;
  return new WatchEnded(`etcd ended the watch: ${reason}`, isCompacted);
}
