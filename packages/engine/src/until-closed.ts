/** Waits for functions of callers, which may never come to their end, as long as the engine is open. */
export class UntilClosed {
  readonly #waiting = new Set<(reason: unknown) => void>();
  #closed: { readonly reason: unknown } | undefined;

  /** Rejects with what `close` is given where that comes first, or came before. */
  wait<T>(waited: PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const end = () => this.#waiting.delete(reject);
      this.#waiting.add(reject);
      if (this.#closed !== undefined) reject(this.#closed.reason);
      waited.then(
        (value) => {
          end();
          resolve(value);
        },
        (error: unknown) => {
          end();
          reject(error);
        },
      );
    });
  }

  close(reason: unknown): void {
    this.#closed ??= { reason };
    this.interrupt(reason);
  }

  /** Rejects all that wait now. */
  interrupt(reason: unknown): void {
    for (const reject of this.#waiting) reject(reason);
    this.#waiting.clear();
  }
}
