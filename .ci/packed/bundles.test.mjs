// What users build with: the tarballs, installed into an empty project, through bundlers, test runners and an older TypeScript.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import commonjs from "@rollup/plugin-commonjs";
import json from "@rollup/plugin-json";
import resolve from "@rollup/plugin-node-resolve";
import { build } from "esbuild";
import { rollup } from "rollup";
import { afterAll, describe, test } from "vitest";
import webpack from "webpack";
import { packPackages, ROOT } from "./packages.mjs";
import { installInEmptyProject } from "./project.mjs";

const work = realpathSync(mkdtempSync(join(tmpdir(), "kaya-bundles-")));
afterAll(() => rmSync(work, { recursive: true }));
const project = installInEmptyProject(packPackages(work), work);
const require = createRequire(import.meta.url);

/** Opens twice: the second must be kept out, by the kernel's lock and not by luck. The path of the data is the first argument. */
const BODY = `
  const dataDir = process.argv[2];
  const db = await Engine.open({ dataDir });
  await db.put("large", "x".repeat(100_000));
  await db.batch([{ type: "put", key: new Uint8Array([107]), value: Buffer.from("v") }]);
  const second = await Engine.open({ dataDir }).then(() => "opened", (error) => error.code);
  const value = Buffer.from(await db.get("k")).toString();
  const view = db.view({ prefix: "v:", key: "tuple", value: "json" });
  await view.put(["a", 1.5], { seen: true });
  const { seen } = await view.get(["a", 1.5]);
  let missing = "";
  try {
    db.view({ key: "utf8", value: "msgpack" });
  } catch ({ message }) {
    missing = /npm install msgpackr/.exec(message)[0];
  }
  await db.close();
  console.log(seen, missing);
  console.log(second, value, KayaError.is(await Engine.open({ dataDir: "" }).catch((error) => error)));
`;
const EXPECTED = "true npm install msgpackr\nKAYA_LOCK_CONFLICT v true\n";
const ESM = `import { Engine, KayaError } from "@kaya/engine";\nasync function main() {${BODY}}\nmain();\n`;
const CJS = `const { Engine, KayaError } = require("@kaya/engine");\nasync function main() {${BODY}}\nmain();\n`;

writeFileSync(join(project, "entry.mjs"), ESM);
writeFileSync(join(project, "entry.cjs"), CJS);

const BUNDLERS = {
  esbuild: async (entry, format, outfile) => {
    const options = { platform: "node", target: "node20.19", logLevel: "silent", bundle: true };
    const { warnings } = await build({ ...options, entryPoints: [join(project, entry)], format, outfile });
    return warnings.map(({ text }) => text);
  },
  rollup: async (entry, format, file) => {
    const warnings = [];
    const bundle = await rollup({
      input: join(project, entry),
      plugins: [resolve({ exportConditions: ["node"], preferBuiltins: true }), commonjs(), json()],
      onwarn: ({ message }) => warnings.push(message),
    });
    await bundle.write({ file, format, inlineDynamicImports: true });
    await bundle.close();
    return warnings;
  },
  webpack: async (entry, format, file) => {
    const isModule = format === "esm";
    const compiler = webpack({
      mode: "none",
      target: "node20",
      context: project,
      entry: `./${entry}`,
      output: {
        path: dirname(file),
        filename: file.slice(dirname(file).length + 1),
        ...(isModule && { module: true, chunkFormat: "module", library: { type: "module" } }),
      },
      experiments: { outputModule: isModule },
    });
    const stats = await promisify(compiler.run.bind(compiler))();
    await promisify(compiler.close.bind(compiler))();
    const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
    return [...errors, ...warnings].map(({ message }) => message);
  },
};

const COMBINATIONS = [
  ["esbuild", "entry.mjs", "esm", "mjs"],
  ["esbuild", "entry.mjs", "cjs", "cjs"],
  ["esbuild", "entry.cjs", "cjs", "cjs"],
  ["rollup", "entry.mjs", "esm", "mjs"],
  ["rollup", "entry.mjs", "cjs", "cjs"],
  ["webpack", "entry.mjs", "esm", "mjs"],
  ["webpack", "entry.cjs", "cjs", "cjs"],
];

function node(args, cwd) {
  return new Promise((settle) => {
    // Vitest is started with a NODE_PATH that leads to all packages of this workspace.
    const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, NODE_PATH: undefined };
    execFile(process.execPath, args, { cwd, env, encoding: "utf8" }, (error, stdout, stderr) => {
      settle({ status: error?.code ?? 0, stdout, stderr });
    });
  });
}

const runBundle = (file) => node([file, join(dirname(file), "data")], dirname(file));
const prints = (stdout) => ({ status: 0, stdout, stderr: "" });

describe("a bundle, without any setting for native modules", () => {
  for (const [bundler, entry, format, extension] of COMBINATIONS) {
    test(`by ${bundler}, of ${entry}, as ${format}`, async () => {
      const beside = join(project, `${bundler}-${entry}-${format}`, `bundle.${extension}`);
      mkdirSync(dirname(beside));
      assert.deepEqual(await BUNDLERS[bundler](entry, format, beside), []);
      assert.deepEqual(await runBundle(beside), prints(EXPECTED), "beside node_modules");

      // Alone, as in an image that has nothing else.
      const alone = join(work, `alone-${bundler}-${entry}-${format}`, `bundle.${extension}`);
      cpSync(beside, alone);
      const { status, stderr } = await runBundle(alone);
      assert.equal(status, 1);
      const reason =
        /cannot lock .*data.LOCK on \S+: \S+bundle\.[cm]js finds no fs-native-extensions.*copy its prebuilds\/ beside the bundle/;
      assert.match(stderr, reason);
      cpSync(
        join(project, "node_modules/fs-native-extensions/prebuilds"),
        join(dirname(alone), "prebuilds"),
        {
          recursive: true,
        },
      );
      rmSync(join(dirname(alone), "data"), { recursive: true, force: true });
      assert.deepEqual(await runBundle(alone), prints(EXPECTED), "with prebuilds/ copied beside it");
    });
  }
});

test("two copies of the code keep out of each other's way", async () => {
  const script = `
    import { createRequire } from "node:module";
    import { join } from "node:path";
    import { Engine, KayaError } from "@kaya/engine";
    const other = (name) => createRequire(import.meta.url)(join(process.cwd(), "node_modules/@kaya", name, "dist/cjs/index.js"));
    const { KayaError: OtherError } = other("core");
    const { NodeDisk, SimDisk } = other("io");
    const { Engine: OtherEngine } = other("engine");
    console.log(OtherError === KayaError, KayaError.is(new OtherError("KAYA_IO", "x"), "KAYA_IO"), OtherError.is(new KayaError("KAYA_IO", "x")));
    const db = await Engine.open({}, new NodeDisk("data-of-two"));
    for (const Each of [Engine, OtherEngine])
      console.log(await Each.open({ dataDir: "data-of-two" }).catch((error) => KayaError.is(error) && error.code));
    await db.put("k", "v");
    await db.backup(new SimDisk());
    await db.close();
    const next = await OtherEngine.open({ dataDir: "data-of-two" });
    console.log(next.getSync("k").length, next.lastRecovery.warnings.length);
    await next.close();
  `;
  writeFileSync(join(project, "two.mjs"), script);
  const expected = "false true true\nKAYA_LOCK_CONFLICT\nKAYA_LOCK_CONFLICT\n1 0\n";
  assert.deepEqual(await node(["two.mjs"], project), prints(expected));
});

test("an optional codec is found where it is installed, and taken into a bundle where it is given", async () => {
  const msgpackr = realpathSync(join(ROOT, "packages/engine/node_modules/msgpackr"));
  const body = (make) => `
    async function main() {
      const db = await Engine.open({}, new SimDisk());
      const view = db.view({ key: "utf8", value: ${make} });
      await view.put("a", { at: new Date(5) });
      console.log(view.getSync("a").at.getTime());
      await db.close();
    }
    main();`;
  const imports = `import { Engine, msgpack } from "@kaya/engine";\nimport { SimDisk } from "@kaya/io";\n`;
  writeFileSync(join(project, "named.mjs"), imports + body(`"msgpack"`));
  const required = `const { Engine } = require("./node_modules/@kaya/engine/dist/cjs/index.js");\nconst { SimDisk } = require("./node_modules/@kaya/io/dist/cjs/index.js");\n`;
  writeFileSync(join(project, "named.cjs"), required + body(`"msgpack"`));
  writeFileSync(
    join(project, "given.mjs"),
    `import * as msgpackr from "msgpackr";\n${imports}${body("msgpack(msgpackr)")}`,
  );
  symlinkSync(msgpackr, join(project, "node_modules/msgpackr"), "junction");
  assert.deepEqual(await BUNDLERS.esbuild("named.mjs", "esm", join(project, "named-bundle.mjs")), []);
  assert.deepEqual(await BUNDLERS.esbuild("given.mjs", "esm", join(work, "given-bundle.mjs")), []);
  assert.deepEqual(await node(["given-bundle.mjs"], work), prints("5\n"));
  for (const file of ["named.mjs", "named.cjs", "named-bundle.mjs"])
    assert.deepEqual(await node([file], project), prints("5\n"), file);
});

const TESTED = `
  const { mkdtempSync, rmSync } = require("node:fs");
  const { Engine, KayaError } = require("@kaya/engine");
  const { NodeDisk, SimDisk } = require("@kaya/io");
  const { diskContract } = require("@kaya/io/testing");
  const { KayaLevel } = require("@kaya/level");
  const { runSimulation } = require("@kaya/sim");

  test("the engine on a real directory, locked, with the bytes and signals of this realm", async () => {
    const dataDir = mkdtempSync("jest-data-");
    const db = await Engine.open({ dataDir, wal: {} });
    await expect(Engine.open({ dataDir })).rejects.toMatchObject({ code: "KAYA_LOCK_CONFLICT" });
    await db.put(new Uint8Array([1]), Buffer.from("v"), { durability: "strict" });
    await db.put(new TextEncoder().encode("a"), "x".repeat(100_000));
    expect(Buffer.from(await db.get(Buffer.from([1]))).toString()).toBe("v");
    const controller = new AbortController();
    const { value } = await db.changes({ signal: controller.signal }).next();
    expect(value.lsn).toBe(1);
    const refused = await db.put(5, "x").catch((error) => error);
    expect(KayaError.is(refused, "KAYA_INVALID_ARGUMENT")).toBe(true);
    expect(refused).toBeInstanceOf(KayaError);
    await db.close();
    rmSync(dataDir, { recursive: true });
  });

  test("the disks and the level adapter", async () => {
    for (const check of diskContract(() => new SimDisk())) await check.run();
    expect(typeof runSimulation).toBe("function");
    const level = new KayaLevel("anywhere", { disk: new SimDisk() });
    await level.put("a", "1");
    expect(await level.get("a")).toBe("1");
    await level.close();
    expect(new NodeDisk("x").root).toMatch(/x$/);
  });
`;

describe("a test runner", () => {
  test("jest as it is installed", async () => {
    const directory = join(project, "with-jest");
    mkdirSync(directory);
    writeFileSync(join(directory, "package.json"), JSON.stringify({ name: "with-jest", private: true }));
    writeFileSync(join(directory, "kaya.test.js"), TESTED);
    const jest = require.resolve("jest/bin/jest");
    const { status, stderr } = await node([jest, "--ci", "--no-watchman", "--runInBand"], directory);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /Tests: +2 passed, 2 total/);
  });

  test("vitest, with imports", async () => {
    const directory = join(project, "with-vitest");
    mkdirSync(directory);
    const imports = TESTED.replaceAll(/const (\{.*\}) = require\((".*")\);/g, "import $1 from $2;");
    writeFileSync(join(directory, "kaya.test.mjs"), `import { expect, test } from "vitest";\n${imports}`);
    // Beside the packages, as where it is installed.
    const vitest = realpathSync(join(ROOT, "node_modules/vitest"));
    const config = { root: directory, test: { alias: { vitest } }, cacheDir: join(work, "vite") };
    writeFileSync(join(directory, "vitest.config.mjs"), `export default ${JSON.stringify(config)};`);
    const { status, stdout, stderr } = await node([join(vitest, "vitest.mjs"), "run"], directory);
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /Tests {2}2 passed \(2\)/);
  });
});

describe("TypeScript 5.7", () => {
  const tsc = require.resolve("typescript57/bin/tsc");
  const SOURCE = `
    import { Engine, json, KayaError, tuple, type WriteResult } from "@kaya/engine";
    export async function write(dataDir: string): Promise<WriteResult> {
      const db = await Engine.open({ dataDir, wal: { recovery: "tail" } });
      const result = await db.put("k", new Uint8Array([118]));
      const users = db.view({ prefix: "u:", key: tuple<[string, number]>(), value: json<{ name: string; at: Date }>() });
      await users.put(["ada", 1], { name: "Ada", at: new Date() });
      const user: { name: string; at: string } | undefined = await users.get(["ada", 1]);
      if (user?.name !== "Ada" || (await users.count({ prefix: ["ada"] })) !== 1) throw new Error("not read back");
      await db.close();
      if (KayaError.is(result, "KAYA_CLOSED")) throw result;
      return result;
    }
    write(process.argv[2] ?? "").then(({ lsn }) => console.log(lsn));
  `;
  const PROJECTS = [
    [["cts"], { module: "commonjs", moduleResolution: "node10", skipLibCheck: true }],
    [["cts", "mts"], { module: "node16", moduleResolution: "node16", skipLibCheck: false }],
    [["mts"], { module: "preserve", moduleResolution: "bundler", skipLibCheck: true }],
  ];
  for (const [extensions, options] of PROJECTS) {
    const { module, moduleResolution } = options;
    test(`compiles .${extensions.join(" and .")} as ${module}, resolved as ${moduleResolution}; they run`, async () => {
      const directory = join(project, `ts-${module}`);
      mkdirSync(directory);
      for (const extension of extensions) writeFileSync(join(directory, `main.${extension}`), SOURCE);
      const settings = { strict: true, target: "es2022", lib: ["es2023"], types: ["node"] };
      const config = { compilerOptions: { ...settings, ...options }, include: ["main.*"] };
      writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(config));
      const compiled = await node([tsc, "-p", directory], project);
      assert.deepEqual(compiled, prints(""));
      for (const extension of extensions) {
        const ran = await node([`main.${extension.replace("t", "j")}`, `data-${extension}`], directory);
        assert.deepEqual(ran, prints("1\n"));
      }
    });
  }
});
