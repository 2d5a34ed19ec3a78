import type { Context } from "../context.js";
import { Interrupted, type OutputStream } from "./output.js";

/** A line on a stream that says how far something is. */
export interface Shown<P> {
  update(progress: P): void;
  /** Takes the line away. */
  done(): void;
}

/** Shows how far the work is, once it takes long, and ends it where the user wants that. */
export async function whileShown<P, T>(
  { io, err, options }: Context,
  show: (stream: OutputStream) => Shown<P>,
  work: (onProgress: (progress: P) => void) => Promise<T>,
): Promise<T> {
  // A script that asked for JSON gets no lines on standard error but those of an error.
  const shown = options.json === true && !err.isTty ? undefined : show(io.stderr);
  let isDone = false;
  try {
    return await work((progress) => {
      if (isDone) return; // an engine tells of later readings, too
      if (io.signal?.aborted) throw new Interrupted();
      shown?.update(progress);
    });
  } finally {
    isDone = true;
    shown?.done();
  }
}
