import { createContext, runInContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { checkBytes, copyBytes, crc32c, isBytes } from "../src/index.js";
import { messageOf } from "./message-of.js";

const realm = createContext({});
const inRealm = (code: string): unknown => runInContext(code, realm);

function detached(): Uint8Array {
  const bytes = new Uint8Array([1, 2, 3]);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

/** A view of memory that was shrunk below it. */
function shrunk(): Uint8Array {
  const buffer = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]) as ArrayBuffer;
  const bytes = new Uint8Array(buffer, 4, 4);
  (buffer as ArrayBuffer & { resize(length: number): void }).resize(2);
  return bytes;
}

const revoked = Proxy.revocable({}, {});
revoked.revoke();

const BYTES: [string, unknown][] = [
  ["an array", new Uint8Array(2)],
  ["an empty array", new Uint8Array(0)],
  ["a Buffer", Buffer.from("ab")],
  ["an empty view at the end of its buffer", new Uint8Array(new ArrayBuffer(4), 4, 0)],
  ["an array over shared memory", new Uint8Array(new SharedArrayBuffer(2))],
  ["an array of a class of its own", new (class Key extends Uint8Array {})(2)],
  ["an array of another realm", inRealm("new Uint8Array([1, 2])")],
  ["an empty array of another realm", inRealm("new Uint8Array(0)")],
];

const OTHERS: [string, unknown][] = [
  ["nothing", undefined],
  ["null", null],
  ["text", "ab"],
  ["an array of numbers", [1, 2]],
  ["a buffer", new ArrayBuffer(2)],
  ["words", new Uint16Array(2)],
  ["clamped bytes", new Uint8ClampedArray(2)],
  ["words of another realm", inRealm("new Uint16Array(2)")],
  ["a view without a type", new DataView(new ArrayBuffer(2))],
  ["a prototype without bytes", Object.create(Uint8Array.prototype)],
  ["what says that it is one", { [Symbol.toStringTag]: "Uint8Array", length: 2 }],
  ["a proxy of an array", new Proxy(new Uint8Array(2), {})],
  ["a revoked proxy", revoked.proxy],
];

describe("bytes", () => {
  test.each(BYTES)("%s is", (_, value) => {
    expect(isBytes(value)).toBe(true);
    expect(() => checkBytes(value, "it")).not.toThrow();
    expect(Buffer.compare(copyBytes(value, "it"), value as Uint8Array)).toBe(0);
  });

  test.each(OTHERS)("%s is not", (_, value) => {
    expect(isBytes(value)).toBe(false);
    expect(messageOf(() => checkBytes(value, "a key"))).toContain("a key must be a Uint8Array, not ");
    expect(messageOf(() => crc32c(value as Uint8Array))).toContain("must be a Uint8Array, not ");
  });

  test.each([
    ["transferred", detached()],
    ["shrunk", shrunk()],
  ])("whose memory was %s are refused, not taken for empty ones", (_, value) => {
    expect(value.length).toBe(0);
    expect(messageOf(() => checkBytes(value, "a key"))).toContain("the memory of a key is gone");
    expect(messageOf(() => copyBytes(value, "a key"))).toContain("the memory of a key is gone");
    expect(messageOf(() => crc32c(value))).toContain("is gone");
  });

  test("a copy has memory of its own, also that of a Buffer and of shared memory", () => {
    for (const bytes of [Buffer.from([1, 2]), new Uint8Array(new SharedArrayBuffer(2)).fill(1)]) {
      const copy = copyBytes(bytes, "it");
      bytes[0] = 9;
      expect(copy[0]).toBe(1);
      expect(copy.buffer).toBeInstanceOf(ArrayBuffer);
    }
  });
});
