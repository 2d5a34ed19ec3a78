// A loop of awaited writes that never leaves the thread would keep timers and sockets waiting: after this long one goes
// through the thread pool, which lets the event loop go round.
const BUDGET_MS = 2;

/** Which file was written to last in this turn, by any synchronous or queued operation of this process. */
let owner: object | undefined;
let began: number | undefined;
let ends = false;

/** Whether this turn of the event loop has time for another write that its caller did not ask to be synchronous. */
export function hasTimeLeft(): boolean {
  const now = performance.now();
  began ??= now;
  beginTurn();
  return now - began < BUDGET_MS;
}

/** What is written from now on is written in this turn of the event loop, until that ends. */
export function beginTurn(): void {
  if (ends) return;
  ends = true;
  setImmediate(endTurn);
}

/** True where nothing in this process wrote anywhere since `file` did, in this same turn: then it still knows its end. */
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
