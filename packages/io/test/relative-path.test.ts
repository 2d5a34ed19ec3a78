import { KayaError } from "@kaya/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parentOf, relativeFilePath, relativePath } from "../src/index.js";

const segment = fc.string({ unit: fc.constantFrom("a", "é", "-", " ", ":", "…", "0"), minLength: 1 });
const anything = fc.oneof(
  fc.string(),
  fc.array(fc.constantFrom("a", "..", ".", "", "C:", "\\", "\0", "b:c")).map((parts) => parts.join("/")),
);

function errorOf(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

describe("relativePath", () => {
  it("gives one spelling", () => {
    expect(["a/b", "./a//b/", "a/./b/."].map(relativePath)).toEqual(["a/b", "a/b", "a/b"]);
    expect(["", ".", "./", ".//."].map(relativePath)).toEqual(["", "", "", ""]);
    expect(relativePath("...")).toBe("...");
    expect(relativePath("a..b/..c")).toBe("a..b/..c");
    expect(relativePath("ab:c")).toBe("ab:c");
  });

  it.each([
    ["/a", "absolute"],
    ["//a", "absolute"],
    ["..", '".."'],
    ["a/../b", '".."'],
    ["C:", "drive"],
    ["z:a", "drive"],
    ["./C:", "drive"],
    ["a\\b", "backslash"],
    ["a\0", "NUL"],
  ])("refuses %j and says why", (path, why) => {
    const error = errorOf(() => relativePath(path));
    expect(KayaError.is(error, "KAYA_INVALID_ARGUMENT")).toBe(true);
    expect(String(error)).toContain(why);
  });

  it("refuses what is not a string", () => {
    for (const wrong of [undefined, null, 7, {}, ["a"]]) {
      const error = errorOf(() => relativePath(wrong as unknown as string));
      expect(KayaError.is(error, "KAYA_INVALID_ARGUMENT")).toBe(true);
    }
  });

  it("throws nothing but KAYA_INVALID_ARGUMENT, and what it lets through stays below the root", () => {
    fc.assert(
      fc.property(anything, (path) => {
        const result = errorOf(() => relativePath(path));
        if (typeof result !== "string") return KayaError.is(result, "KAYA_INVALID_ARGUMENT");
        const segments = result === "" ? [] : result.split("/");
        return relativePath(result) === result && segments.every((name) => !["", ".", ".."].includes(name));
      }),
    );
  });

  it("keeps segments that are only names", () => {
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1 }), (names) => {
        const path = names.join("/");
        fc.pre(!/^[A-Za-z]:/.test(path));
        return relativePath(path) === path;
      }),
    );
  });
});

describe("relativeFilePath", () => {
  it("is relativePath without the root", () => {
    expect(relativeFilePath("a//b")).toBe("a/b");
    for (const root of ["", ".", "./"]) {
      expect(
        KayaError.is(
          errorOf(() => relativeFilePath(root)),
          "KAYA_INVALID_ARGUMENT",
        ),
      ).toBe(true);
    }
  });
});

describe("parentOf", () => {
  it("is the directory that holds a path", () => {
    expect(["a", "a/b", "a/b/c"].map(parentOf)).toEqual(["", "a", "a/b"]);
  });
});
