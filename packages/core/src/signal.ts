/**
 * What `signal.throwIfAborted` does, which the signals of some test environments do not have.
 * @throws the signal's reason
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw signal.reason;
}
