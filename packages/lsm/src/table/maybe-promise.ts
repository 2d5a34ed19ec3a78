/** Goes on at once where the value is there, and later where it is to come: a promise where none is needed costs more than the work. */
export function chain<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
