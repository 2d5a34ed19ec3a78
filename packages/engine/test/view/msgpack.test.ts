import { SimDisk } from "@kaya/io";
import fc from "fast-check";
import * as msgpackr from "msgpackr";
import { describe, expect, it } from "vitest";
import { Engine, type MsgpackrModule, msgpack } from "../../src/index.js";
import { loadedCodec } from "../../src/view/codecs/msgpack.js";

describe("values as MessagePack", () => {
  it("come back with what JSON loses", async () => {
    const db = await Engine.open({}, new SimDisk());
    const view = db.view({ prefix: "m:", key: "utf8", value: "msgpack" });
    const value = {
      at: new Date(1.5e12 + 7),
      before: new Date(-5),
      map: new Map<unknown, unknown>([
        [1, new Map([["a", new Set([2])]])],
        ["b", { c: null }],
      ]),
      bytes: new Uint8Array([0, 255]),
      big: [2n, -2n, 2n ** 63n, -(2n ** 200n)],
      odd: [NaN, Infinity, undefined, 1.5, "😀\0"],
    };
    await view.put("a", value);
    expect(await view.get("a")).toStrictEqual(value);
    await db.close();
  });

  it("stand alone: each is read without any other", () => {
    const object = fc.object({ withDate: true, withBigInt: true, withMap: true, withSet: true, maxDepth: 2 });
    const shared = msgpack(msgpackr);
    fc.assert(
      fc.property(fc.array(object, { minLength: 1, maxLength: 5 }), (values) => {
        const all = values.map((value) => Uint8Array.from(shared.encode(value)));
        const last = all.at(-1) as Uint8Array;
        const alone = msgpack(msgpackr).decode(last);
        expect(alone).toStrictEqual(shared.decode(last));
        expect(alone).toStrictEqual(msgpack().decode(shared.encode(values.at(-1) ?? {})));
      }),
      { numRuns: 300 },
    );
  });

  it("are of the package that is installed, or of the one that is given", () => {
    const bytes = msgpack<{ a: number }>().encode({ a: 1 });
    expect(msgpack(msgpackr).decode(bytes)).toStrictEqual({ a: 1 });
    expect(() => msgpack({} as MsgpackrModule)).toThrow("takes the package msgpackr");
  });

  it("are refused where the package is not installed, and the message says what to do", () => {
    const cause = new Error("Cannot find module 'msgpackr'");
    const missing = () => {
      throw cause;
    };
    expect(() => loadedCodec(missing)).toThrow(
      expect.objectContaining({
        code: "KAYA_INVALID_ARGUMENT",
        message: expect.stringContaining("npm install msgpackr"),
        cause,
      }),
    );
  });

  it("are refused where there is none: undefined and functions", () => {
    expect(() => msgpack().encode(undefined as never)).toThrow("undefined");
    expect(() => msgpack().encode(() => 1)).toThrow("a function");
  });
});
