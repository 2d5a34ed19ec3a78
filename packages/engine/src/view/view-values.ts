import { describe, isBytes, KayaError } from "@kaya/core";
import { showKey } from "../conditions.js";
import { invalid } from "../input.js";
import { takesLent } from "./choose-codec.js";
import type { Codec } from "./codecs/codec.js";
import { checked, type StandardSchema } from "./schema.js";
import { invalidFor, reason } from "./view-keys.js";

/** The values of a view: their codec, and the schema that checks what is written. */
export class ViewValues<V, In> {
  /** Whether `decode` may be given bytes that are used again. */
  readonly takesLent: boolean;
  readonly #codec: Codec<V, In>;
  readonly #schema: StandardSchema | undefined;

  constructor(codec: Codec<V, In>, schema: StandardSchema | undefined) {
    this.takesLent = takesLent(codec);
    this.#codec = codec;
    this.#schema = schema;
  }

  /** @param key whole, for messages. @throws KayaError KAYA_INVALID_ARGUMENT */
  encode(value: In, key: Uint8Array): Uint8Array {
    try {
      const given = this.#schema === undefined ? value : (checked(this.#schema, value) as In);
      if (given === undefined)
        throw invalid("undefined means that a key is absent: delete the key, or put null");
      const bytes = this.#codec.encode(given);
      if (!isBytes(bytes)) throw invalid(`the codec returns ${describe(bytes)}, and not a Uint8Array`);
      return bytes;
    } catch (cause) {
      throw invalidFor(
        `the value for the key ${showKey(key)} cannot be written as ${this.#codec.name}`,
        cause,
      );
    }
  }

  /** @param key whole, for messages. @throws KayaError KAYA_DECODE_FAILED */
  decode(value: Uint8Array, key: Uint8Array): V {
    try {
      return this.#codec.decode(value);
    } catch (cause) {
      throw new KayaError(
        "KAYA_DECODE_FAILED",
        `the codec ${describe(this.#codec.name)} cannot read the value of the key ${showKey(key)}: ${reason(cause)}. ` +
          "Something else wrote it: read it as bytes, or with the view that wrote it",
        { cause, key: new Uint8Array(key) },
      );
    }
  }
}
