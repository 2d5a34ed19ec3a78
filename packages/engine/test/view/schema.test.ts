import { runInNewContext } from "node:vm";
import { SimDisk } from "@kaya/io";
import { type } from "arktype";
import * as v from "valibot";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { Engine, type SchemaIssue, type StandardSchema } from "../../src/index.js";
import { rejection, text } from "../support/text.js";

const db = await Engine.open({}, new SimDisk());
afterAll(() => db.close());

const SCHEMAS = {
  zod: z.object({ name: z.string(), tags: z.array(z.string()) }),
  valibot: v.object({ name: v.string(), tags: v.array(v.string()) }),
  arktype: type({ name: "string", tags: "string[]" }),
};

describe("a schema at the door of a view", () => {
  for (const [vendor, schema] of Object.entries(SCHEMAS)) {
    it(`by ${vendor}: lets pass what it takes, and says where the rest is wrong`, async () => {
      const view = db.view({ prefix: `${vendor}:`, key: "utf8", value: "json", schema });
      await view.put("ada", { name: "Ada", tags: ["a"] });
      expect(await view.get("ada")).toStrictEqual({ name: "Ada", tags: ["a"] });
      const { lastLsn } = db.stats();
      const wrong = { name: "Ada", tags: ["a", 5 as unknown as string] };
      const error = await rejection("KAYA_INVALID_ARGUMENT", view.put("ada", wrong));
      expect(error.message).toContain(
        `the value for the key "${vendor}:ada" cannot be written as json: the schema (${vendor}) refuses it: tags.1: `,
      );
      expect([...(error.cause as SchemaIssue[])]).toHaveLength(1);
      await rejection("KAYA_INVALID_ARGUMENT", view.batch([{ type: "put", key: "b", value: wrong }]));
      expect(() => view.putSync("b", wrong)).toThrow("tags.1");
      expect(() => view.op.put("b", wrong)).toThrow("tags.1");
      expect(db.stats().lastLsn).toBe(lastLsn);
    });
  }

  it("writes what the schema makes of a value", async () => {
    const schema = z.object({ name: z.string().trim(), visits: z.number().default(0) });
    const view = db.view({ prefix: "made:", key: "utf8", value: "json", schema });
    await view.put("ada", { name: " Ada " });
    expect(text(await db.get("made:ada"))).toBe('{"name":"Ada","visits":0}');
  });

  it("is not asked what was written before it", async () => {
    const loose = db.view({ prefix: "old:", key: "utf8", value: "json" });
    await loose.put("a", 5);
    const strict = db.view({ prefix: "old:", key: "utf8", value: "json", schema: z.string() });
    expect(await strict.get("a")).toBe(5);
  });

  it("must not be asynchronous, as a write has its place where it is called", async () => {
    const slow = z.string().refine(async () => true);
    const view = db.view({ prefix: "slow:", key: "utf8", value: "utf8", schema: slow });
    const { lastLsn } = db.stats();
    const error = await rejection("KAYA_INVALID_ARGUMENT", view.put("a", "b"));
    expect(error.message).toContain("a view needs an answer at once");
    const failing: StandardSchema<string> = {
      "~standard": { version: 1, vendor: "me", validate: () => Promise.reject(new Error("late")) },
    };
    await rejection(
      "KAYA_INVALID_ARGUMENT",
      db.view({ key: "utf8", value: "utf8", schema: failing }).put("a", "b"),
    );
    const foreign: StandardSchema<string> = {
      "~standard": { version: 1, vendor: "me", validate: () => runInNewContext("(async () => ({}))()") },
    };
    const refused = db.view({ key: "utf8", value: "utf8", schema: foreign }).put("a", "b");
    expect((await rejection("KAYA_INVALID_ARGUMENT", refused)).message).toContain("needs an answer at once");
    expect(db.stats().lastLsn).toBe(lastLsn);
  });

  it("may say much: ten of it are told", async () => {
    const schema = z.array(z.string());
    const view = db.view({ prefix: "many:", key: "utf8", value: "json", schema });
    const error = await rejection("KAYA_INVALID_ARGUMENT", view.put("a", Array(15).fill(1) as string[]));
    expect(error.message).toMatch(/9: .*; and 5 more$/);
  });
});
