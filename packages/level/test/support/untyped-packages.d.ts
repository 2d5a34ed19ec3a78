// Packages without types of their own, as far as the tests use them.

declare module "abstract-level/test/index.js" {
  import type { TestCase } from "tape";

  export default function suite(options: {
    factory(options?: object): object;
    test(name: string, body: TestCase): void;
  }): void;
}

declare module "charwise" {
  const charwise: {
    readonly type: string;
    readonly format: "utf8";
    encode(key: unknown): string;
    decode(text: string): unknown;
  };
  export default charwise;
}

declare module "fergies-inverted-index" {
  import type { EventEmitter } from "node:events";

  interface Found {
    readonly _id: number;
  }

  export class InvertedIndex {
    constructor(options: { name: string; Level: unknown });
    readonly EVENTS: EventEmitter;
    readonly STORE: { close(): Promise<void> };
    PUT(documents: readonly object[]): Promise<unknown>;
    DELETE(ids: readonly number[]): Promise<unknown>;
    AND(tokens: readonly string[]): Promise<Found[]>;
    OR(tokens: readonly string[]): Promise<Found[]>;
    GET(token: string | { FIELD: string; VALUE: { GTE: number; LTE: number } }): Promise<Found[]>;
    DISTINCT(token: { FIELD: string }): Promise<{ VALUE: string }[]>;
    OBJECT(found: Found[]): Promise<(Found & { _object: object })[]>;
  }
}
