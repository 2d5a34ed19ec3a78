import { types } from "node:util";
import { describe, isBytes } from "@kaya/core";
import { invalid, toBytes } from "../../input.js";
import type { TupleElement } from "./tuple.js";
import { END, ESCAPE, MAX_BIGINT_BYTES, MAX_DEPTH, Tag, writeDouble } from "./tuple-bytes.js";

const FIRST_BYTES = 64;

/** Writes the elements of a tuple one behind the other. */
export class TupleWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;

  /** What was written; it writes no more. */
  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT for what no tuple can hold */
  elements(elements: readonly TupleElement[], depth = 0): void {
    const { length } = elements;
    for (let i = 0; i < length; i++) this.#element(elements[i], depth);
  }

  #element(element: TupleElement | undefined, depth: number): void {
    if (typeof element === "string") this.#text(element);
    else if (typeof element === "number") this.#number(Tag.Number, element);
    else if (typeof element === "boolean") this.#byte(element ? Tag.True : Tag.False);
    else if (typeof element === "bigint") this.#bigint(element);
    else if (element === null) this.#byte(Tag.Null);
    else if (typeof element === "object") this.#object(element, depth);
    else throw notInTuple(describe(element));
  }

  #object(element: Exclude<TupleElement, null>, depth: number): void {
    if (Array.isArray(element)) this.#tuple(element as readonly TupleElement[], depth);
    // Of any realm.
    else if (types.isDate(element)) this.#number(Tag.Date, element.getTime());
    else if (isBytes(element)) this.#withEnd(Tag.Bytes, element);
    else throw notInTuple(describe(element));
  }

  #tuple(elements: readonly TupleElement[], depth: number): void {
    if (depth === MAX_DEPTH) throw invalid(`tuples in a tuple are more than ${MAX_DEPTH} deep`);
    this.#byte(Tag.Tuple);
    this.elements(elements, depth + 1);
    this.#byte(END);
  }

  #number(tag: typeof Tag.Number | typeof Tag.Date, value: number): void {
    if (Number.isNaN(value)) throw notInTuple(tag === Tag.Date ? "an invalid Date" : "NaN");
    this.#room(9);
    this.#bytes[this.#length] = tag;
    writeDouble(value + 0, this.#bytes, this.#length + 1); // -0 + 0 is 0: they are equal, so they are one key
    this.#length += 9;
  }

  /** The length comes first, so that more digits order behind fewer; of a negative one everything is turned round. */
  #bigint(value: bigint): void {
    const isNegative = value < 0n;
    const hex = (isNegative ? -value : value).toString(16);
    const digits =
      value === 0n ? new Uint8Array(0) : Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
    if (digits.length > MAX_BIGINT_BYTES) throw notInTuple(`a bigint of ${digits.length} bytes`);
    const flip = isNegative ? 0xff : 0;
    this.#byte(isNegative ? Tag.NegativeBigInt : Tag.BigInt);
    this.#byte((digits.length >> 8) ^ flip);
    this.#byte((digits.length & 0xff) ^ flip);
    for (const digit of digits) this.#byte(digit ^ flip);
  }

  #text(text: string): void {
    const { length } = text;
    this.#room(length + 2);
    const start = this.#length;
    this.#bytes[this.#length++] = Tag.String;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit <= ESCAPE || unit >= 0x80) {
        this.#length = start;
        this.#withEnd(Tag.String, toBytes(text, "text"));
        return;
      }
      this.#bytes[this.#length++] = unit;
    }
    this.#bytes[this.#length++] = END;
  }

  #withEnd(tag: typeof Tag.String | typeof Tag.Bytes, bytes: Uint8Array): void {
    this.#room(2 * bytes.length + 2);
    this.#bytes[this.#length++] = tag;
    for (const byte of bytes) {
      if (byte <= ESCAPE) {
        this.#bytes[this.#length++] = ESCAPE;
        this.#bytes[this.#length++] = byte + 1;
      } else this.#bytes[this.#length++] = byte;
    }
    this.#bytes[this.#length++] = END;
  }

  #byte(byte: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = byte;
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

function notInTuple(what: string) {
  return invalid(
    `a tuple may hold null, booleans, numbers, bigints, Dates, strings, Uint8Arrays and tuples of these, not ${what}`,
  );
}
