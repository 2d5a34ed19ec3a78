/** A promise whose state can be seen without waiting for it. */
export class Watched<T> {
  #state: "pending" | "resolved" | "rejected" = "pending";
  #value: T | undefined;
  #error: unknown;

  constructor(promise: Promise<T>, onSettled: () => void = () => undefined) {
    promise.then(
      (value) => {
        this.#state = "resolved";
        this.#value = value;
        onSettled();
      },
      (error: unknown) => {
        this.#state = "rejected";
        this.#error = error;
        onSettled();
      },
    );
  }

  get state(): "pending" | "resolved" | "rejected" {
    return this.#state;
  }

  get value(): T {
    if (this.#state !== "resolved") throw new Error(`a promise that is ${this.#state} has no value`);
    return this.#value as T;
  }

  /** Of a rejected promise. */
  get error(): unknown {
    return this.#error;
  }
}

/**
 * One turn of the event loop. Everything except the disk's gate runs in microtasks, so afterwards nothing moves until the gate opens: the
 * simulation needs no clock.
 */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
