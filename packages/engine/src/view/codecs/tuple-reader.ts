import type { TupleElement } from "./tuple.js";
import { END, ESCAPE, MAX_DEPTH, readDouble, Tag } from "./tuple-bytes.js";
import { decodeUtf8 } from "./utf8.js";

/** Reads the elements of a tuple. It takes only bytes that `TupleWriter` writes: else two keys could be one tuple. */
export class TupleReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** All of them. @throws Error for bytes that are no tuple */
  read(): TupleElement[] {
    const elements: TupleElement[] = [];
    while (this.#position < this.#bytes.length) elements.push(this.#element(0));
    return elements;
  }

  #element(depth: number): TupleElement {
    const at = this.#position;
    const tag = this.#byte();
    switch (tag) {
      case Tag.Null:
        return null;
      case Tag.False:
        return false;
      case Tag.True:
        return true;
      case Tag.Number:
        return this.#number();
      case Tag.NegativeBigInt:
        return this.#bigint(0xff);
      case Tag.BigInt:
        return this.#bigint(0);
      case Tag.Date:
        return this.#date();
      case Tag.String:
        return decodeUtf8(this.#unescaped());
      case Tag.Bytes:
        return new Uint8Array(this.#unescaped());
      case Tag.Tuple:
        return this.#tuple(depth);
      default:
        throw noTuple(`0x${tag.toString(16).padStart(2, "0")} begins no element`, at);
    }
  }

  #tuple(depth: number): TupleElement[] {
    if (depth === MAX_DEPTH) throw noTuple(`tuples are more than ${MAX_DEPTH} deep`, this.#position);
    const elements: TupleElement[] = [];
    while (this.#bytes[this.#position] !== END) elements.push(this.#element(depth + 1));
    this.#position++;
    return elements;
  }

  #number(): number {
    const at = this.#position;
    const value = readDouble(this.#bytes, this.#skip(8));
    if (Number.isNaN(value) || Object.is(value, -0)) throw noTuple("NaN and -0 are never written", at);
    return value;
  }

  #date(): Date {
    const at = this.#position;
    const time = this.#number();
    const date = new Date(time);
    if (date.getTime() !== time) throw noTuple("that is no time of a Date", at);
    return date;
  }

  #bigint(flip: number): bigint {
    const at = this.#position;
    const length = ((this.#byte() ^ flip) << 8) | (this.#byte() ^ flip);
    const start = this.#skip(length);
    const digits = this.#bytes.slice(start, start + length).map((byte) => byte ^ flip);
    if (digits[0] === 0 || (length === 0 && flip !== 0)) throw noTuple("a bigint begins with a zero", at);
    const value = BigInt(`0x0${Buffer.from(digits).toString("hex")}`);
    return flip === 0 ? value : -value;
  }

  /** Text or bytes, up to their end. */
  #unescaped(): Uint8Array {
    const start = this.#position;
    const end = this.#bytes.indexOf(END, start);
    if (end === -1) throw noTuple("it has no end", start);
    this.#position = end + 1;
    const escaped = this.#bytes.subarray(start, end);
    if (!escaped.includes(ESCAPE)) return escaped;
    const bytes: number[] = [];
    for (let i = 0; i < escaped.length; i++) {
      const byte = escaped[i] ?? 0;
      const next = byte === ESCAPE ? (escaped[++i] ?? 0) : byte + 1;
      if (byte === ESCAPE && next !== 1 && next !== 2)
        throw noTuple("0x01 stands before 0x01 and 0x02 only", start + i);
      bytes.push(next - 1);
    }
    return Uint8Array.from(bytes);
  }

  #byte(): number {
    return this.#bytes[this.#skip(1)] ?? 0;
  }

  /** Where these bytes begin. */
  #skip(length: number): number {
    const at = this.#position;
    this.#position += length;
    if (this.#position > this.#bytes.length)
      throw noTuple("it ends in the middle of an element", this.#bytes.length);
    return at;
  }
}

function noTuple(reason: string, at: number): Error {
  return new Error(`the bytes are no tuple: ${reason} (byte ${at})`);
}
