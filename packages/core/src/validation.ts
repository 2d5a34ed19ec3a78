import { describe } from "./describe.js";
import { KayaError } from "./errors.js";
import { ownOptions } from "./options.js";

/** Collects the problems of a configuration, for one message. */
export class Problems {
  readonly #found: string[] = [];

  get count(): number {
    return this.#found.length;
  }

  add(problem: string): void {
    this.#found.push(problem);
  }

  /** The own values of a plain object, read once. An unknown key, or another value, is a problem. */
  object(value: unknown, path: string, known: readonly string[]): Record<string, unknown> {
    const none = Object.create(null) as Record<string, unknown>;
    if (value === undefined) return none;
    try {
      return this.#plainObject(value, path, known) ?? none;
    } catch (cause) {
      // A getter or a proxy: its other values cannot be trusted.
      throw new KayaError("KAYA_INVALID_ARGUMENT", `${path} cannot be read: looking at it throws`, { cause });
    }
  }

  #plainObject(value: unknown, path: string, known: readonly string[]): Record<string, unknown> | undefined {
    if (!isPlainObject(value)) {
      this.add(`${path} must be a plain object, not ${describe(value)}`);
      return undefined;
    }
    const prefix = path === "config" ? "" : `${path}.`;
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) this.add(`${prefix}${key} is not an option (known: ${known.join(", ")})`);
    }
    return ownOptions(value, known, path);
  }

  integer(
    value: unknown,
    path: string,
    fallback: number,
    min: number,
    max = Number.MAX_SAFE_INTEGER,
  ): number {
    if (value === undefined) return fallback;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max)
      return value;
    const bounds = max === Number.MAX_SAFE_INTEGER ? `>= ${min}` : `from ${min} to ${max}`;
    this.add(`${path} must be a whole number ${bounds}, not ${describe(value)}`);
    return fallback;
  }

  boolean(value: unknown, path: string, fallback: boolean): boolean {
    if (value === undefined) return fallback;
    if (typeof value === "boolean") return value;
    this.add(`${path} must be true or false, not ${describe(value)}`);
    return fallback;
  }

  text(value: unknown, path: string, fallback: string): string {
    if (value === undefined) return fallback;
    if (typeof value === "string" && value.length > 0 && !value.includes("\0")) return value;
    this.add(`${path} must be a non-empty string without NUL, not ${describe(value)}`);
    return fallback;
  }

  oneOf<T extends string>(value: unknown, path: string, fallback: T, choices: readonly T[]): T {
    if (value === undefined) return fallback;
    if (choices.includes(value as T)) return value as T;
    this.add(`${path} must be one of ${choices.map((c) => `"${c}"`).join(", ")}, not ${describe(value)}`);
    return fallback;
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT naming every problem, if any. */
  throwIfAny(what: string): void {
    if (this.#found.length === 0) return;
    throw new KayaError("KAYA_INVALID_ARGUMENT", `invalid ${what}: ${this.#found.join("; ")}`);
  }
}

// A Map or a class instance hides its values: it would pass as "all defaults".
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Not `=== Object.prototype`: another realm (node:vm, test runners) has its own.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
