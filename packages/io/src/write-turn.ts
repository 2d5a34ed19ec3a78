// A loop of awaited synchronous writes would keep timers and sockets waiting: after this long a write goes through the thread pool, so that
// the event loop turns.
const BUDGET_MS = 2;

/** The file written to last in this turn, by any synchronous or queued operation of this process. */
let owner: object | undefined;
let began: number | undefined;
let ends = false;

/** Whether this turn of the event loop has time for another synchronous write of an asynchronous call. */
export function hasTimeLeft(): boolean {
  const now = performance.now();
  began ??= now;
  beginTurn();
  return now - began < BUDGET_MS;
}

/** Begins a turn of the event loop, until it ends. */
export function beginTurn(): void {
  if (ends) return;
  ends = true;
  setImmediate(endTurn);
}

/** True if this process wrote nowhere else since `file` did, in this same turn: then `file` still knows its end. */
export function wroteLast(file: object): boolean {
  return owner === file;
}

export function markWritten(file: object | undefined): void {
  owner = file;
}

function endTurn(): void {
  owner = undefined;
  began = undefined;
  ends = false;
}
