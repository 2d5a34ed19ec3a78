import { describe } from "./describe.js";
import { KayaError } from "./errors.js";

/**
 * The options of a caller: its own properties, read once, in an object that inherits nothing. So a polluted `Object.prototype` is not obeyed,
 * and a getter cannot answer differently the second time.
 * @param known a misspelt option would be ignored in silence, so any other is refused
 * @param what names the options in messages: "the options of a write"
 * @throws KayaError KAYA_INVALID_ARGUMENT for what is no object; for an unknown option; for one that comes from a class or from
 *   `Object.create(defaults)`, which would be ignored; where a getter or a proxy throws, with that as the cause
 */
export function readOptions<T extends object>(
  given: T | undefined,
  known: readonly string[],
  what: string,
): Partial<T> {
  if (given === undefined) return Object.create(null) as Partial<T>;
  return readInput(what, () => {
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      throw new KayaError("KAYA_INVALID_ARGUMENT", `${what} must be an object, not ${describe(given)}`);
    }
    const unknown = Object.keys(given).filter((key) => !known.includes(key));
    if (unknown.length > 0) {
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        `unknown option ${unknown.join(", ")} in ${what} (known: ${known.join(", ")})`,
      );
    }
    return ownOptions(given, known, what);
  });
}

/**
 * Refuses a callback that is given and is no function.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function checkCallback(callback: unknown, name: string): void {
  if (callback === undefined || typeof callback === "function") return;
  throw new KayaError("KAYA_INVALID_ARGUMENT", `${name} must be a function, not ${describe(callback)}`);
}

/**
 * The known options among an object's own properties, read once.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT for a known option that is inherited
 */
export function ownOptions<T extends object>(given: T, known: readonly string[], what: string): Partial<T> {
  const own = Object.create(null) as Record<string, unknown>;
  for (const key of known) {
    if (Object.hasOwn(given, key)) own[key] = (given as Record<string, unknown>)[key];
    else if (key in given && isInherited(given, key)) {
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        `${what}: ${key} is inherited, and only own properties are options: copy it ({ ...options, ${key}: options.${key} })`,
      );
    }
  }
  return own as Partial<T>;
}

/** Whether it is set below Object.prototype: a property there is in every object, and no option. */
function isInherited(given: object, key: string): boolean {
  let prototype = Object.getPrototypeOf(given) as object | null;
  while (prototype !== null) {
    const next = Object.getPrototypeOf(prototype) as object | null;
    if (next !== null && Object.hasOwn(prototype, key)) return true;
    prototype = next;
  }
  return false;
}

/**
 * Calls `read`, which looks at a caller's argument. If a getter or a proxy in the argument throws, that is the
 * caller's mistake.
 *
 * @param what names the argument in the message
 * @throws KayaError what `read` throws, if it is a KayaError; otherwise KAYA_INVALID_ARGUMENT with the error as
 *   its cause
 */
export function readInput<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (KayaError.is(cause)) throw cause;
    throw new KayaError("KAYA_INVALID_ARGUMENT", `${what} cannot be read: looking at it throws`, { cause });
  }
}
