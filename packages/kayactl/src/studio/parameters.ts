import { describe } from "@kaya/core";
import { fromText } from "./base64url.js";
import { badRequest } from "./refusal.js";

/** The parameters of a request: each is known, and given once. */
export class Parameters {
  readonly #given: URLSearchParams;

  /** @throws Refusal for a parameter that is not known, or given twice */
  constructor(given: URLSearchParams, known: readonly string[]) {
    this.#given = given;
    const seen = new Set<string>();
    for (const name of given.keys()) {
      if (!known.includes(name)) throw badRequest(`there is no parameter ${describe(name)}`);
      if (seen.has(name)) throw badRequest(`the parameter ${name} is given twice`);
      seen.add(name);
    }
  }

  text(name: string): string | undefined {
    return this.#given.get(name) ?? undefined;
  }

  /** @throws Refusal where it is there and not base64url without padding */
  bytes(name: string): Buffer | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const bytes = fromText(text);
    if (bytes === undefined) throw badRequest(`${name} must be base64url without padding`);
    return bytes;
  }

  /** @throws Refusal where it is absent, or not base64url without padding */
  requiredBytes(name: string): Buffer {
    const bytes = this.bytes(name);
    if (bytes === undefined) throw badRequest(`the parameter ${name} is missing`);
    return bytes;
  }

  /** A whole number within bounds. @throws Refusal */
  number(name: string, least: number, most: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (/^\d{1,16}$/.test(text) && value >= least && value <= most) return value;
    throw badRequest(`${name} must be a whole number from ${least} to ${most}`);
  }

  /** `1`, or absent. @throws Refusal for anything else */
  flag(name: string): boolean {
    const text = this.text(name);
    if (text !== undefined && text !== "1") throw badRequest(`${name} must be 1, or absent`);
    return text === "1";
  }
}
