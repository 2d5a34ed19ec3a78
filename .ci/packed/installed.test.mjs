import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { afterAll, test } from "vitest";
import { packPackages, ROOT, run, tool } from "./packages.mjs";
import { installInEmptyProject } from "./project.mjs";

const work = mkdtempSync(join(tmpdir(), "kaya-installed-"));
afterAll(() => rmSync(work, { recursive: true }));
const packages = packPackages(work);
const project = installInEmptyProject(packages, work);

/** Runs `text` as a module of the project (a CommonJS one where it is named so), and gives what came of it. */
function runScript(text, { name = "script.mjs", args = [], cwd = project } = {}) {
  writeFileSync(join(cwd, name), text);
  return start(process.execPath, [name, ...args], cwd);
}

function kayactl(args, cwd = project) {
  return start(join(cwd, "node_modules", ".bin", "kayactl"), args, cwd);
}

function start(command, args, cwd) {
  // Vitest is started with a NODE_PATH that leads to all packages of this workspace.
  const env = { ...process.env, NODE_PATH: undefined };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  return { status, stdout, stderr };
}

/** Nothing on standard error: no warning either. */
const prints = (stdout) => ({ status: 0, stdout, stderr: "" });

const WRITES = `
import { Engine } from "@kaya/engine";
const db = await Engine.open({ dataDir: "data" });
await db.put("user:1", "Ada");
await db.put("large", "x".repeat(100_000));
await db.close();
`;

test("only the part for OpenTelemetry needs its package, and says so", () => {
  const script = `
    const reason = await import("@kaya/engine/opentelemetry").catch((error) => error);
    console.log(reason.code, reason.message.match(/'@[^']+'/)[0]);
    await import("@kaya/engine/prometheus");
  `;
  assert.deepEqual(runScript(script), prints("ERR_MODULE_NOT_FOUND '@opentelemetry/api'\n"));
});

test("import and require give the same, and no warning", () => {
  mkdirSync(join(project, "node_modules/@opentelemetry"));
  const api = "@opentelemetry/api";
  const installed = realpathSync(join(ROOT, "packages/engine/node_modules", api));
  symlinkSync(installed, join(project, "node_modules", api), "junction");
  const script = `
    const assert = require("node:assert/strict");
    async function check(name) {
      const required = require(name);
      const imported = await import(name);
      assert.ok(Object.keys(imported).length > 0, name);
      for (const [key, value] of Object.entries(imported)) assert.equal(required[key], value, name + ": " + key);
    }
    Promise.all(process.argv.slice(2).map(check)).then(() => console.log("the same"));
  `;
  const modules = packages.flatMap(({ manifest: { name, exports } }) =>
    Object.keys(exports).map((path) => posix.join(name, path)),
  );
  const args = modules.filter((name) => !name.endsWith(".json"));
  assert.deepEqual(runScript(script, { name: "exports.cjs", args }), prints("the same\n"));
});

test("what a module wrote, CommonJS and the command line read", () => {
  assert.deepEqual(runScript(WRITES), prints(""));
  const read = `
    const { Engine } = require("@kaya/engine");
    Engine.open({ dataDir: "data" }).then(async (db) => {
      console.log(Buffer.from(await db.get("user:1")).toString());
      await db.close();
    });
  `;
  assert.deepEqual(runScript(read, { name: "read.cjs" }), prints("Ada\n"));
  assert.deepEqual(kayactl(["get", "user:1", "--data", "data"]), prints("Ada\n"));
  const { version } = packages.find(({ manifest }) => manifest.name === "@kaya/kayactl").manifest;
  assert.deepEqual(kayactl(["--version"]), prints(`${version}\n`));
});

test("the examples of every document compile under strict settings, whichever way modules resolve", () => {
  const directory = join(project, "examples");
  mkdirSync(directory);
  const documented = packages.flatMap(({ manifest, unpacked }) =>
    readdirSync(unpacked)
      .filter((file) => /^[A-Z]+\.md$/.test(file))
      .map((file) => [`${manifest.name} ${file}`, join(unpacked, file)]),
  );
  for (const [name, document] of [["kaya", join(ROOT, "README.md")], ...documented]) {
    const blocks = [...readFileSync(document, "utf8").matchAll(/^```ts\n(.*?)^```/gms)];
    for (const [i, [, source]] of blocks.entries()) {
      // One that shows another package beside ours is for the tests of its own package.
      if (/ from "(?!@kaya\/|node:)/.test(source)) continue;
      writeFileSync(join(directory, `${name.replaceAll(/\W+/g, "-")}-${i + 1}.mts`), source);
    }
  }
  const requires =
    'import { Engine } from "@kaya/engine";\nexport const open = () => Engine.open({ dataDir: "data" });\n';
  writeFileSync(join(directory, "common.cts"), requires);
  for (const resolution of [{ module: "nodenext" }, { module: "preserve", moduleResolution: "bundler" }]) {
    const settings = { strict: true, skipLibCheck: false, target: "es2022", types: ["node"], noEmit: true };
    const config = join(project, `tsconfig.${resolution.module}.json`);
    writeFileSync(
      config,
      JSON.stringify({ compilerOptions: { ...settings, ...resolution }, include: ["examples"] }),
    );
    assert.equal(run(tool("tsc"), ["-p", config], { cwd: project }), "");
  }
});

test("without the binary of the compression, what is not compressed is written and read, and the error says what to do", () => {
  const bare = join(work, "without-compression");
  const isBinary = (path) => /[\\/]@napi-rs[\\/]snappy-/.test(path);
  cpSync(project, bare, { recursive: true, verbatimSymlinks: true, filter: (path) => !isBinary(path) });
  const script = (path, compression) => `
    import { NodeDisk } from "@kaya/io";
    import { BlockCache, Table, TableWriter } from "@kaya/lsm";
    const disk = new NodeDisk("tables");
    const writer = await TableWriter.create(disk, "${path}", { compression: "${compression}" });
    await writer.add(Buffer.from("key"), 0, 1, Buffer.from("text ".repeat(1000)));
    await writer.finish();
    const table = await Table.open(disk, "${path}", { cache: new BlockCache({ bytes: 1000000 }) });
    console.log(table.getSync(Buffer.from("key")).value.length);
  `;
  assert.deepEqual(runScript(script("raw", "none"), { cwd: bare }), prints("5000\n"));
  assert.deepEqual(runScript(script("compressed", "snappy")), prints("5000\n"));
  const refused = runScript(script("refused", "snappy"), { cwd: bare });
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /KayaError.*writing refused compressed needs the package "snappy".*npm install snappy/,
  );
  cpSync(join(project, "tables"), join(bare, "tables"), { recursive: true });
  const read = `
    import { NodeDisk } from "@kaya/io";
    import { BlockCache, Table } from "@kaya/lsm";
    const cache = new BlockCache({ bytes: 1000000 });
    const table = await Table.open(new NodeDisk("tables"), "compressed", { cache });
    console.log(table.rangeTombstones.length);
    table.getSync(Buffer.from("key"));
  `;
  const opened = runScript(read, { cwd: bare });
  assert.equal(opened.stdout, "0\n");
  assert.match(opened.stderr, /KayaError.*reading compressed at offset 0 needs the package "snappy"/);
});

test("without a prebuilt binary for the platform, checksums are the same and nothing opens unlocked by itself", () => {
  const bare = join(work, "without-binaries");
  const isBinary = (path) => /[\\/](@node-rs[\\/]crc32-|fs-native-extensions[\\/]prebuilds)/.test(path);
  cpSync(project, bare, { recursive: true, verbatimSymlinks: true, filter: (path) => !isBinary(path) });

  const checksums = `
    import { crc32c } from "@kaya/core";
    for (let length = 0; length < 2000; length += 7) console.log(crc32c(new Uint8Array(length).fill(length)));
  `;
  const loads = 'import "@node-rs/crc32";';
  assert.deepEqual(runScript(checksums, { cwd: bare }), runScript(checksums));
  assert.deepEqual([runScript(loads).status, runScript(loads, { cwd: bare }).status], [0, 1]);

  const opens = (disableLocking) => `
    import { Engine } from "@kaya/engine";
    const db = await Engine.open({ dataDir: "data", disableLocking: ${disableLocking} });
    console.log((await db.get("large")).length);
    await db.put("larger", "y".repeat(200_000));
    await db.close();
  `;
  const refused = runScript(opens(false), { cwd: bare });
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /KayaError.*cannot lock .*data.LOCK.*disableLocking: true/);
  assert.deepEqual(runScript(opens(true), { cwd: bare }), prints("100000\n"));

  const unlocked = kayactl(["put", "user:2", "Grace", "--data", "data"], bare);
  assert.equal(unlocked.status, 1);
  assert.match(unlocked.stderr, /^error KAYA_IO: cannot lock .*\nhint: use --no-lock/);
  assert.equal(kayactl(["put", "user:2", "Grace", "--data", "data", "--no-lock"], bare).status, 0);
  assert.match(kayactl(["verify", "--data", "data"], bare).stdout, /^CLEAN/);
});
