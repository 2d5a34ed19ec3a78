import { describe } from "@kaya/core";
import { invalid } from "./input.js";

/**
 * Who is to be told when a signal aborts. A signal has one listener of ours, however many wait for it: Node warns of a leak from the eleventh
 * on, and raising the limit of a signal that belongs to the caller would hide leaks of the caller's.
 */
const waiting = new WeakMap<AbortSignal, AbortWaiters>();

class AbortWaiters {
  readonly #signal: AbortSignal;
  readonly #calls = new Set<() => void>();
  readonly #onAbort = () => {
    const calls = [...this.#calls];
    this.#end();
    for (const call of calls) call();
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort);
  }

  add(call: () => void): void {
    this.#calls.add(call);
  }

  delete(call: () => void): void {
    if (this.#calls.delete(call) && this.#calls.size === 0) this.#end();
  }

  #end(): void {
    this.#calls.clear();
    this.#signal.removeEventListener("abort", this.#onAbort);
    if (waiting.get(this.#signal) === this) waiting.delete(this.#signal);
  }
}

/** Calls once, when the signal aborts. @returns what ends the waiting; doing it again is fine */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  const waiters = waiting.get(signal) ?? new AbortWaiters(signal);
  waiting.set(signal, waiters);
  waiters.add(call);
  return () => waiters.delete(call);
}

/**
 * By its methods, not by its class: the signal of another realm, or of a test environment, is one too.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function checkSignal(signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal === undefined) return;
  if (!looksLikeSignal(signal)) throw invalid(`signal must be an AbortSignal, not ${describe(signal)}`);
}

function looksLikeSignal(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  try {
    const { aborted, addEventListener, removeEventListener } = value as AbortSignal;
    return (
      typeof aborted === "boolean" &&
      typeof addEventListener === "function" &&
      typeof removeEventListener === "function"
    );
  } catch {
    return false; // a prototype without a signal behind it, a revoked proxy
  }
}
