import { Interrupted } from "./output.js";

/** The same items, until the signal says that no more are wanted: also where the next one never comes. @throws Interrupted */
export async function* untilInterrupted<T>(
  items: AsyncIterable<T>,
  signal?: AbortSignal,
): AsyncGenerator<T, void> {
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await orInterrupted(iterator.next(), signal);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // One that waits for its next item would keep this waiting too.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

/** What it resolves to, unless the signal comes first. @throws Interrupted */
export function orInterrupted<T>(next: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return next;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new Interrupted());
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    next.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
