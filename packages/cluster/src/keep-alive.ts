import { type ClusterClock, SYSTEM_CLOCK } from "./clock.js";

/** The longest interval that a timer can have. */
const LONG_MS = 2 ** 31 - 1;

let calls = 0;
let timer: NodeJS.Timeout | undefined;

/**
 * Keeps the process alive until a call settles. The timers of a node do not keep it alive: if an open node has no pending calls, the
 * process may end.
 * A clock of virtual time keeps nothing alive, because a call of a simulated process that was killed never settles.
 */
export async function keepAlive<T>(clock: ClusterClock, call: Promise<T>): Promise<T> {
  if (clock !== SYSTEM_CLOCK) return call;
  timer ??= setInterval(() => undefined, LONG_MS);
  calls++;
  try {
    return await call;
  } finally {
    if (--calls === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  }
}
