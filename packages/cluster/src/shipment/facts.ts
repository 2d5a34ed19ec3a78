import type { Facts } from "./sealed-object.js";

/** Reads the fields of an object one by one. `refuse` makes the error for a field that is missing or has another type. */
export class FactReader {
  readonly #facts: Facts;
  readonly #refuse: (why: string) => Error;

  constructor(facts: Facts, refuse: (why: string) => Error) {
    this.#facts = facts;
    this.#refuse = refuse;
  }

  /** A whole number >= 0. */
  number(name: string): number {
    const value = this.#facts[name];
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
    throw this.#refuse(`${name} is not a whole number >= 0`);
  }

  text(name: string): string {
    const value = this.#facts[name];
    if (typeof value === "string") return value;
    throw this.#refuse(`${name} is not a string`);
  }

  optionalText(name: string): string | undefined {
    return this.#facts[name] === undefined ? undefined : this.text(name);
  }

  /** Reads bytes that are stored in base64. */
  bytes(name: string): Uint8Array {
    return new Uint8Array(Buffer.from(this.text(name), "base64"));
  }

  list(name: string): FactReader[] {
    const value = this.#facts[name];
    if (!Array.isArray(value)) throw this.#refuse(`${name} is not a list`);
    return value.map((each, index) => this.#inner(each, `${name}[${index}]`));
  }

  /** Reads an object; undefined if it is absent. */
  object(name: string): FactReader | undefined {
    const value = this.#facts[name];
    return value === undefined ? undefined : this.#inner(value, name);
  }

  #inner(value: unknown, name: string): FactReader {
    if (typeof value !== "object" || value === null) throw this.#refuse(`${name} is not an object`);
    return new FactReader(value as Facts, (why) => this.#refuse(`${name}: ${why}`));
  }
}
