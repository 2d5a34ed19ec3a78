import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished, test } from "vitest";
import { checkLayers } from "./check-layers.mjs";

const dot = { types: "./dist/index.d.ts", default: "./dist/index.js" };

function manifest(folder, fields = {}) {
  return JSON.stringify({ name: `@kaya/${folder}`, exports: { ".": dot }, ...fields }, null, 2);
}

/** Three packages in order; every test adds to it what it is about. */
const CLEAN = {
  "packages/core/package.json": manifest("core"),
  "packages/core/src/index.ts": 'export { crc } from "./crc.js";\nexport type * from "./types.js";\n',
  "packages/core/src/crc.ts":
    'import { createRequire } from "node:module";\nexport const crc = createRequire;\n',
  "packages/core/src/types.ts": "export type Lsn = number;\n",
  "packages/core/test/crc.test.ts":
    'import { crc } from "../src/index.js";\nimport * as own from "@kaya/core";\n',
  "packages/io/package.json": manifest("io", {
    exports: { ".": dot, "./testing": dot },
    dependencies: { "@kaya/core": "workspace:*" },
  }),
  "packages/io/src/index.ts": "export {};\n",
  "packages/io/src/disk/node.ts": 'import { crc } from "@kaya/core";\nimport "../index.js";\n',
  "packages/wal/package.json": manifest("wal", {
    dependencies: { "@kaya/io": "workspace:*" },
    devDependencies: { "@kaya/core": "workspace:*" },
  }),
  "packages/wal/src/writer.ts": 'import { diskContract } from "@kaya/io/testing";\n',
  "packages/wal/test/writer.test.ts": 'import "@kaya/core";\nimport { w } from "../src/writer.js";\n',
};

function makeTree(files = {}) {
  const root = mkdtempSync(join(tmpdir(), "kaya-layers-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [name, text] of Object.entries({ ...CLEAN, ...files })) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

function check(files) {
  return checkLayers(makeTree(files));
}

function runCommand(root) {
  const command = fileURLToPath(new URL("./check-layers.mjs", import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [command, root], { encoding: "utf8" });
  return { status, stdout };
}

test("a clean tree has no violations, and everything in it was looked at", () => {
  assert.deepEqual(check(), { violations: [], packages: 3, files: 8 });
});

test("a folder without a package.json, and what is built or installed, is no package's source", () => {
  const { violations } = check({
    "packages/old/dist/index.ts": 'import "@kaya/wal";\n',
    "packages/core/dist/index.d.ts": 'import "@kaya/wal";\n',
    "packages/core/node_modules/x/index.ts": 'import "@kaya/wal";\n',
  });
  assert.deepEqual(violations, []);
});

const violationsInManifests = {
  "an unknown package": {
    files: { "packages/cache/package.json": manifest("cache") },
    found: ["packages/cache/package.json:2  @kaya/cache is unknown: add it to the layer order"],
  },
  "a package in another one's folder": {
    files: { "packages/sim/package.json": manifest("engine") },
    found: ["packages/sim/package.json:2  @kaya/engine does not belong in packages/sim"],
  },
  "a dependency on an unknown package": {
    files: { "packages/engine/package.json": manifest("engine", { dependencies: { "@kaya/cache": "*" } }) },
    found: [
      "packages/engine/package.json:10  dependencies: @kaya/cache is unknown: add it to the layer order",
    ],
  },
  "a dependency on a later layer": {
    files: { "packages/core/package.json": manifest("core", { dependencies: { "@kaya/io": "*" } }) },
    found: [
      "packages/core/package.json:10  dependencies: @kaya/core must not use @kaya/io, which is of a later layer",
    ],
  },
  "a dependency on itself": {
    files: { "packages/core/package.json": manifest("core", { devDependencies: { "@kaya/core": "*" } }) },
    found: ["packages/core/package.json:10  devDependencies: @kaya/core must not use itself by name"],
  },
  "a dependency that only tests use": {
    files: {
      "packages/lsm/package.json": manifest("lsm", { dependencies: { "@kaya/io": "*", "@kaya/wal": "*" } }),
      "packages/lsm/src/tree.ts": 'import "@kaya/io/testing";\n',
      "packages/lsm/test/tree.test.ts": 'import "@kaya/wal";\n',
    },
    found: ["packages/lsm/package.json:11  dependencies: nothing in src uses @kaya/wal"],
  },
};

for (const field of ["peerDependencies", "optionalDependencies", "devDependencies"]) {
  violationsInManifests[`${field} within a layer`] = {
    files: { "packages/level/package.json": manifest("level", { [field]: { "@kaya/cluster": "*" } }) },
    found: [
      `packages/level/package.json:10  ${field}: @kaya/level must not use @kaya/cluster, which is of the same layer`,
    ],
  };
}

const laterLayer = "@kaya/core must not use @kaya/io, which is of a later layer";
const violationsInSources = {
  "an import of a later layer": ['import { open } from "@kaya/io";', laterLayer],
  "a type import of a later layer": ['import type { Disk } from "@kaya/io";', laterLayer],
  "an import for side effects": ['import "@kaya/io";', laterLayer],
  "an export-from": ['export * from "@kaya/io";', laterLayer],
  "a named export-from": ['export { open } from "@kaya/io";', laterLayer],
  "a dynamic import": ['export const io = () => import("@kaya/io");', laterLayer],
  "a dynamic import of a template": ["export const io = () => import(`@kaya/io`);", laterLayer],
  "an import type": ['export type Disk = import("@kaya/io").Disk;', laterLayer],
  "an import-equals": ['import io = require("@kaya/io");', laterLayer],
  "a require": ['export const io = require("@kaya/io");', laterLayer],
  "a require made on the spot": ['export const io = createRequire(import.meta.url)("@kaya/io");', laterLayer],
  "a require.resolve": ['export const io = require.resolve("@kaya/io");', laterLayer],
  "an import.meta.resolve": ['export const io = import.meta.resolve("@kaya/io");', laterLayer],
  "an unknown package": ['import "@kaya/cache";', "@kaya/cache is unknown: add it to the layer order"],
  "an import of itself by name": ['import "@kaya/core";', "@kaya/core must not use itself by name"],
  "a relative import of another package": [
    'import "../../io/src/index.js";',
    '"../../io/src/index.js" leaves the package\'s src',
  ],
  "a relative import of its own tests": [
    'import "../test/x.js";',
    '"../test/x.js" leaves the package\'s src',
  ],
  "an absolute import": ['import "/etc/x.js";', '"/etc/x.js" leaves the package\'s src'],
};

for (const [name, { files, found }] of Object.entries(violationsInManifests)) {
  test(`in a package.json is found: ${name}`, () => {
    assert.deepEqual(check(files).violations, found);
  });
}

for (const [name, [code, message]] of Object.entries(violationsInSources)) {
  test(`in a source is found: ${name}`, () => {
    // Behind what a plain text search would take for an import, and letters that are longer in UTF-8.
    const text = `// import "@kaya/wal";\nexport const s = 'import "@kaya/wal"'; /* ✓ 🦊 */\n${code}\n`;
    const { violations } = check({ "packages/core/src/deep/../x.ts": text });
    assert.deepEqual(violations, [`packages/core/src/x.ts:3  ${message}`]);
  });
}

test("in a source is found: a package that is not declared, or declared for tests only", () => {
  const { violations } = check({
    "packages/io/package.json": manifest("io", { exports: { ".": dot, "./testing": dot } }),
    "packages/wal/src/a.ts": 'import "@kaya/core";\n',
  });
  assert.deepEqual(violations, [
    "packages/io/src/disk/node.ts:1  @kaya/core is not declared in the package's dependencies",
    "packages/wal/src/a.ts:1  @kaya/core is not declared in the package's dependencies",
  ]);
});

test("in a source is found: a deep import, with what is exported", () => {
  const { violations } = check({
    "packages/io/src/a.ts": 'import "@kaya/core/dist/crc32c.js";\n',
    "packages/wal/src/a.ts": 'import "@kaya/io/sim";\n',
  });
  assert.deepEqual(violations, [
    'packages/io/src/a.ts:1  "@kaya/core/dist/crc32c.js" is a deep import: @kaya/core exports .',
    'packages/wal/src/a.ts:1  "@kaya/io/sim" is a deep import: @kaya/io exports ., ./testing',
  ]);
});

test("in a source is found: a folder whose name only begins like src", () => {
  const { violations } = check({ "packages/core/src/a.ts": 'import "../src-old/x.js";\n' });
  assert.deepEqual(violations, ['packages/core/src/a.ts:1  "../src-old/x.js" leaves the package\'s src']);
});

test("in a source is found: one that does not parse", () => {
  const { violations } = check({ "packages/core/src/a.ts": "export const a = 1;\nimport {\n" });
  assert.equal(violations.length, 1);
  assert.match(violations[0], /^packages\/core\/src\/a\.ts:\d {2}does not parse: ./);
});

test("in src/index.ts is found: anything but a re-export", () => {
  const { violations } = check({
    "packages/core/src/index.ts": [
      'import { crc } from "./crc.js";',
      'export * from "./types.js";',
      "export const version = 1;",
      "export { crc };",
      "export default crc;",
      "",
    ].join("\n"),
  });
  const message = "src/index.ts may hold only re-exports";
  assert.deepEqual(
    violations,
    [1, 3, 4, 5].map((line) => `packages/core/src/index.ts:${line}  ${message}`),
  );
});

test("an index.ts deeper in src is a file like any other", () => {
  assert.deepEqual(check({ "packages/core/src/a/index.ts": "export const a = 1;\n" }).violations, []);
});

test("in a test is found: another package by path, one that is not declared, a deep import", () => {
  const { violations } = check({
    "packages/io/test/a.test.ts": [
      'import "../../core/src/index.js";',
      'import "@kaya/wal";',
      'import "@kaya/core/src/crc.js";',
      'import "./helpers.js";',
      'import "@kaya/io/testing";',
      "",
    ].join("\n"),
    "packages/engine/package.json": manifest("engine"),
    "packages/engine/test/a.test.ts": 'import "@kaya/io";\n',
  });
  assert.deepEqual(violations, [
    "packages/engine/test/a.test.ts:1  @kaya/io is not declared in the package's package.json",
    'packages/io/test/a.test.ts:1  "../../core/src/index.js" leaves the package: import other packages by name',
    "packages/io/test/a.test.ts:2  @kaya/io must not use @kaya/wal, which is of a later layer",
    'packages/io/test/a.test.ts:3  "@kaya/core/src/crc.js" is a deep import: @kaya/core exports .',
  ]);
});

test("the command prints one line and succeeds where all is in order", () => {
  assert.deepEqual(runCommand(makeTree()), { status: 0, stdout: "layers ok: 3 packages, 8 files\n" });
});

test("the command prints a line a violation and fails", () => {
  const root = makeTree({ "packages/core/src/a.ts": 'import "@kaya/io";\nimport "@kaya/wal";\n' });
  assert.deepEqual(runCommand(root), {
    status: 1,
    stdout: [
      "packages/core/src/a.ts:1  @kaya/core must not use @kaya/io, which is of a later layer",
      "packages/core/src/a.ts:2  @kaya/core must not use @kaya/wal, which is of a later layer",
      "",
    ].join("\n"),
  });
});
