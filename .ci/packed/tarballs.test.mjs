import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { afterAll, describe, test } from "vitest";
import { packPackages, run, tool } from "./packages.mjs";

const work = mkdtempSync(join(tmpdir(), "kaya-packed-"));
afterAll(() => rmSync(work, { recursive: true }));

/** For what cannot require an ES module. */
const isCommonJsToo = ({ exports }) => exports["."].require !== undefined;

for (const { manifest, files, tarball, unpacked } of packPackages(work)) {
  describe(`${manifest.name} as it is packed`, () => {
    test("is what publint asks for", () => {
      run(tool("publint"), ["run", tarball, "--strict"]);
    });

    test("has types that resolve wherever it can be imported", () => {
      const profile = isCommonJsToo(manifest) ? "node16" : "esm-only";
      run(tool("attw"), [tarball, "--profile", profile, "--no-color", "--no-emoji", "--format", "ascii"]);
    });

    test("says what it is", () => {
      assert.match(manifest.description, /\w/);
      assert.ok(manifest.keywords.length > 0);
      const { version, license, type, sideEffects, engines, publishConfig, exports } = manifest;
      assert.deepEqual(
        { license, type, sideEffects, engines, publishConfig, manifest: exports["./package.json"] },
        {
          license: "MIT OR Apache-2.0",
          type: "module",
          sideEffects: false,
          engines: { node: ">=20.19" },
          publishConfig: { access: "public" },
          manifest: "./package.json",
        },
      );
      // Only what was tested together runs together.
      for (const [name, range] of Object.entries(manifest.dependencies)) {
        if (name.startsWith("@kaya/")) assert.equal(range, version, name);
        else assert.match(range, /^\d+\.\d+\.\d+$/, name);
      }
    });

    test("holds each source, what was compiled from it, and documents; nothing else", () => {
      const sources = files.filter((file) => /^src\/.*\.ts$/.test(file));
      const compiled = sources.flatMap((file) => {
        const name = file.replace(/^src\/(.*)\.ts$/, "dist/$1");
        const commonjs = name.replace("dist/", "dist/cjs/");
        return [
          ...[`${name}.js`, `${name}.js.map`, `${name}.d.ts`, `${name}.d.ts.map`],
          ...(isCommonJsToo(manifest) ? [`${commonjs}.js`, `${commonjs}.js.map`, `${commonjs}.d.ts`] : []),
        ];
      });
      const styles = files.filter((file) => /^src\/.*\.css$/.test(file)); // read where they are
      const studio = ["index.html", "app.js", "app.css", "NOTICES.txt"].map((name) => `dist/studio/${name}`);
      const documents = files.filter((file) => /^[A-Z]+\.md$/.test(file));
      const expected = [
        "LICENSE",
        "README.md",
        "package.json",
        ...(isCommonJsToo(manifest) ? ["dist/cjs/package.json"] : []),
        ...sources,
        ...compiled,
        ...styles,
        ...(manifest.name === "@kaya/kayactl" ? studio : []),
        ...documents,
      ];
      const missing = expected.filter((file) => !files.includes(file));
      const tooMany = files.filter((file) => !expected.includes(file));
      assert.deepEqual({ missing, tooMany }, { missing: [], tooMany: [] });
    });

    test("has source maps that lead to its sources", () => {
      for (const file of files.filter((name) => name.endsWith(".map"))) {
        const { sources, sourceRoot } = JSON.parse(readFileSync(join(unpacked, file), "utf8"));
        const targets = sources.map((source) => posix.join(dirname(file), sourceRoot ?? "", source));
        for (const target of targets) assert.ok(files.includes(target), `${file} leads to ${target}`);
      }
    });
  });
}
