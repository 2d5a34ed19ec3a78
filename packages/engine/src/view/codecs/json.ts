import { describe } from "@kaya/core";
import { invalid } from "../../input.js";
import type { Codec } from "./codec.js";
import { decodeUtf8 } from "./utf8.js";

/** Any value that `JSON.parse` returns. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

/** Any value except undefined. */
export type Something = NonNullable<unknown> | null;

/**
 * The type of a `T` that was written as JSON and read back: a Date is text, and what JSON leaves out is absent.
 */
export type JsonOf<T> = unknown extends T
  ? JsonValue
  : T extends null | boolean | number | string
    ? T
    : T extends { toJSON(): infer Text }
      ? JsonOf<Text>
      : T extends bigint | symbol | undefined | ((...args: never) => unknown)
        ? never
        : T extends readonly unknown[]
          ? { [I in keyof T]: JsonOf<T[I]> }
          : { [P in keyof T as JsonOf<T[P]> extends never ? never : P]: JsonOf<T[P]> };

const JSON_CODEC: Codec<JsonValue, Something> = {
  name: "json",
  encode(value) {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw invalid(`JSON cannot hold ${describe(value)}`);
    return Buffer.from(text);
  },
  decode: (bytes) => JSON.parse(decodeUtf8(bytes)) as JsonValue,
};

/**
 * JSON, with the type of the values: `value: json<User>()`. What JSON does not hold is lost as in `JSON.stringify`: a Date becomes text, a
 * property that is undefined or a function is left out, NaN becomes null. The type that comes back says so. In generic code, where `T` is a type parameter,
 * TypeScript cannot work that type out: take a `Codec<T>` from the caller instead (`value: Codec<T>`), who gives `json<User>()`.
 */
export function json<T extends Something = JsonValue>(): Codec<JsonOf<T>, T> {
  return JSON_CODEC as unknown as Codec<JsonOf<T>, T>;
}
