import { describe, KayaError } from "@kaya/core";
import { invalid } from "../../input.js";
import type { Codec } from "./codec.js";
import type { Something } from "./json.js";

/** The part of the package `msgpackr` that Kaya uses. */
export interface MsgpackrModule {
  /** The class that packs and unpacks values. */
  readonly Packr: new (
    options: Record<string, unknown>,
  ) => {
    pack(value: unknown): Uint8Array;
    unpack(bytes: Uint8Array): unknown;
  };
}

/**
 * No shared structures: each value has the names of its own properties, and can be read without any other. Objects are records of
 * msgpackr's, so that a Map comes back as a Map and not as an object.
 */
const OPTIONS = { useRecords: true, mapsAsObjects: false, moreTypes: true, useBigIntExtension: true };

// `import.meta` is empty in CommonJS.
const HERE = import.meta.filename ?? __filename;
let loaded: Codec<unknown, Something> | undefined;

/**
 * MessagePack by the package `msgpackr` (`npm install msgpackr`), with the type of the values: `value: msgpack<User>()`. It holds what JSON does
 * not: Date, Map, Set, Uint8Array and other typed arrays, bigint, undefined in objects, NaN. Functions in objects become undefined.
 * @param library the package, for a program that is bundled: `import * as msgpackr from "msgpackr"`. Without it, it is loaded here.
 * @throws KayaError KAYA_INVALID_ARGUMENT where the package cannot be loaded
 */
export function msgpack<T extends Something = Something>(library?: MsgpackrModule): Codec<T, T> {
  const codec = library === undefined ? loadedCodec() : codecOf(library);
  return codec as Codec<T, T>;
}

/** The codec by the package that is installed; loaded at the first use. @throws KayaError KAYA_INVALID_ARGUMENT */
export function loadedCodec(load?: () => MsgpackrModule): Codec<unknown, Something> {
  try {
    if (load !== undefined) return codecOf(load());
    loaded ??= codecOf(loadMsgpackr());
    return loaded;
  } catch (cause) {
    if (KayaError.is(cause)) throw cause;
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      'the codec "msgpack" needs the package msgpackr, which cannot be loaded here: npm install msgpackr. ' +
        'In a bundle give it yourself: `import * as msgpackr from "msgpackr"`, and `value: msgpack(msgpackr)`.',
      { cause },
    );
  }
}

/** Bundlers do not see this `require` (webpack knows an imported `createRequire`), so a program without msgpackr needs no setting. */
function loadMsgpackr(): MsgpackrModule {
  return process.getBuiltinModule("node:module").createRequire(HERE)("msgpackr") as MsgpackrModule;
}

function codecOf(library: MsgpackrModule): Codec<unknown, Something> {
  if (typeof library?.Packr !== "function")
    throw invalid(`msgpack() takes the package msgpackr, not ${describe(library)}`);
  const packr = new library.Packr(OPTIONS);
  return {
    name: "msgpack",
    encode(value) {
      if (value === undefined || typeof value === "function") throw invalid(`it is ${describe(value)}`);
      return packr.pack(value);
    },
    decode: (bytes) => packr.unpack(bytes),
  };
}
