// Without the network: what the script says of a runtime that it cannot install.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, describe, test } from "vitest";
import { RUNTIMES } from "./runtimes.mjs";

const work = mkdtempSync(join(tmpdir(), "kaya-no-registry-"));
afterAll(() => rmSync(work, { recursive: true }));

/** Runs the script with an npm that reaches no registry. */
function runWithoutRegistry(CI) {
  const bin = join(work, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "npm"), "#!/bin/sh\necho 'npm error code ECONNREFUSED' >&2\nexit 1\n");
  chmodSync(join(bin, "npm"), 0o755);
  const env = {
    ...process.env,
    CI,
    KAYA_RUNTIMES: join(work, "cache"),
    PATH: [bin, process.env.PATH].join(delimiter),
  };
  return spawnSync(process.execPath, [join(import.meta.dirname, "main.mjs")], { encoding: "utf8", env });
}

describe.skipIf(process.platform !== "linux")("runtimes that cannot be installed", () => {
  test("are skipped with the reason", () => {
    const { status, stdout } = runWithoutRegistry("");
    const lines = stdout
      .split("\n")
      .filter((line) => /skipped: npm install \S+ failed: code ECONNREFUSED$/.test(line));
    assert.equal(lines.length, RUNTIMES.length, stdout);
    assert.equal(status, 0);
    assert.deepEqual(readdirSync(join(work, "cache")), []); // nothing half installed is left
  });

  test("fail in CI", () => {
    const { status, stdout } = runWithoutRegistry("true");
    assert.match(stdout, /FAILED: npm install/);
    assert.equal(status, 1);
  });
});
