// All tests of the repository in one run: `npx pnpm@10 test`. Within a package, `npx pnpm@10 exec vitest` runs the tests of that package.
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, sep } from "node:path";
import { defineConfig } from "vitest/config";

// pnpm's shim of vitest sets it. Programs that tests start would find packages through it that are not installed beside them.
// biome-ignore lint/suspicious/noUndeclaredEnvVars: turbo does not run this
delete process.env.NODE_PATH;

const ROOT = import.meta.dirname;
// A test may take as long as it needs on a busy machine. The limit ends a test that hangs.
const PATIENCE = 300_000;

/** The tests below a directory, under a name. Loading modules takes a third of the time, so test files share them unless they are isolated. */
function project(name, directory, include, { exclude = [], isolate = false } = {}) {
  const root = join(ROOT, directory);
  return { root, test: { name, include, exclude, isolate, testTimeout: PATIENCE, hookTimeout: PATIENCE } };
}

// Tests of kayactl that need a process of their own: Chromium finds its libraries by the environment of its first import, and one file mocks a module.
const ISOLATED = ["test/*-browser.test.ts", "test/sim.test.ts"];

const packages = readdirSync(join(ROOT, "packages"));
const all = [
  ...packages.map((name) =>
    project(name, join("packages", name), ["test/**/*.test.ts"], {
      exclude: name === "kayactl" ? ISOLATED : [],
      isolate: name === "io", // its tests mock modules
    }),
  ),
  project("isolated", join("packages", "kayactl"), ISOLATED, { isolate: true }),
  project("packed", ".ci", ["{packed,release}/*.test.mjs"]),
  project("repository", ".ci", ["*.test.mjs", "{docs/test,runtimes}/*.test.mjs"]),
];
const here = all.filter(({ root }) => `${process.cwd()}${sep}`.startsWith(`${root}${sep}`));

export default defineConfig({
  root: ROOT,
  test: {
    // One more than cores: tests wait for processes, disks and timers part of the time.
    maxWorkers: availableParallelism() + 1,
    projects: here.length > 0 ? here : all,
    reporters: here.length > 0 ? ["default"] : ["./.ci/test-reporter.mjs"],
    silent: here.length > 0 ? false : "passed-only",
  },
});
