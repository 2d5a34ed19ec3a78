import { afterEach, describe, expect, test } from "vitest";
import {
  describe as describeValue,
  KayaError,
  readInput,
  readOptions,
  resolveEngineConfig,
  resolveWalConfig,
} from "../src/index.js";
import { messageOf } from "./message-of.js";

interface Options {
  readonly size?: number;
  readonly mode?: string;
}

const read = (given: unknown) => readOptions<Options>(given as Options, ["size", "mode"], "the options");

const revoked = Proxy.revocable({}, {});
revoked.revoke();

function throwing(name: string): object {
  const get = () => {
    throw new TypeError("not now");
  };
  return Object.defineProperty({}, name, { enumerable: true, get });
}

function thrownBy(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

const polluted = Object.prototype as Record<string, unknown>;
afterEach(() => {
  for (const name of ["size", "mode", "durability", "recovery", "dataDir", "cause", "key"])
    delete polluted[name];
});

describe("options", () => {
  test("are read once, into an object that inherits nothing", () => {
    let reads = 0;
    const given = {
      get size() {
        return ++reads;
      },
    };
    const options = read(given);
    expect([options.size, options.size, options.mode, reads]).toEqual([1, 1, undefined, 1]);
    expect(Object.getPrototypeOf(options)).toBe(null);
    expect(read(undefined)).toEqual({});
  });

  test("of a polluted Object.prototype are not obeyed", () => {
    Object.assign(polluted, { size: 5, durability: "relaxed", recovery: "prefix", dataDir: "/elsewhere" });
    expect(read({ mode: "a" }).size).toBe(undefined);
    expect(read(undefined).size).toBe(undefined);
    expect(resolveEngineConfig().durability).toBe("strict");
    expect(resolveEngineConfig({}).dataDir).toBe("./data");
    expect(resolveEngineConfig({ wal: {} }).wal.recovery).toBe("tail");
    expect(resolveWalConfig({}).recovery).toBe("tail");
  });

  test("that are inherited from anything else are refused: nobody finds out that they are ignored", () => {
    class Settings {
      get size() {
        return 5;
      }
    }
    const message = messageOf(() => read(new Settings()));
    expect(message).toContain("size is inherited, and only own properties are options");
    expect(messageOf(() => read(Object.create({ size: 5 })))).toContain("size is inherited");
    expect(read(Object.create({ other: 5 }))).toEqual({});
  });

  test("that nobody knows are refused", () => {
    expect(messageOf(() => read({ sise: 5 }))).toBe("unknown option sise in the options (known: size, mode)");
    for (const given of [null, 1, "text", [], () => 1]) {
      expect(messageOf(() => read(given))).toContain("the options must be an object, not ");
    }
  });

  test("that throw when they are looked at are the caller's mistake, told with its cause", () => {
    const acts = [
      () => read(revoked.proxy),
      () => resolveEngineConfig(revoked.proxy),
      () => resolveWalConfig(revoked.proxy),
      () => resolveEngineConfig({ wal: revoked.proxy }),
      () => read(throwing("size")),
      () => resolveEngineConfig(throwing("durability")),
      () => resolveWalConfig(throwing("recovery")),
    ];
    for (const act of acts) {
      const error = thrownBy(act);
      expect(KayaError.is(error, "KAYA_INVALID_ARGUMENT")).toBe(true);
      expect((error as Error).cause).toBeInstanceOf(TypeError);
    }
  });
});

test("reading input leaves a KayaError as it is", () => {
  const error = new KayaError("KAYA_CLOSED", "closed");
  expect(() =>
    readInput("it", () => {
      throw error;
    }),
  ).toThrow(error);
});

test("what cannot be looked at can be described and is no KayaError", () => {
  expect(describeValue(revoked.proxy)).toBe("an object that throws when it is looked at");
  expect(KayaError.is(revoked.proxy)).toBe(false);
});

test("an error has no cause and no key of a polluted Object.prototype", () => {
  Object.assign(polluted, { cause: new Error("not this"), key: new Uint8Array(1) });
  const error = new KayaError("KAYA_IO", "x", {});
  expect([Object.hasOwn(error, "cause"), Object.hasOwn(error, "key")]).toEqual([false, false]);
  expect(Object.hasOwn(new KayaError("KAYA_IO", "x", { cause: 1 }), "cause")).toBe(true);
});
