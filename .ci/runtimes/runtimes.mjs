// The runtimes that Kaya is run in, as npm packages that hold a binary and need no install script.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const BUN_CPU = { x64: "x64", arm64: "aarch64" }[process.arch];
const DENO_PERMISSIONS = ["--allow-read", "--allow-write", "--allow-ffi", "--allow-env", "--allow-sys"];

/**
 * @typedef {object} Runtime
 * @property {string} name
 * @property {string} pkg of npm
 * @property {string} version
 * @property {string} binary in that package
 * @property {string[]} flags before the program
 */

/** @type {Runtime[]} */
export const RUNTIMES = [
  ...["22.23.5", "24.22.3", "26.12.1"].map((version) => ({
    name: "Node.js",
    pkg: `node-linux-${process.arch}`,
    version,
    binary: "bin/node",
    flags: [],
  })),
  {
    name: "Bun",
    pkg: `@oven/bun-linux-${BUN_CPU}`,
    version: "1.4.5",
    binary: "bin/bun",
    flags: ["--no-install"],
  },
  {
    name: "Deno",
    pkg: `@deno/linux-${process.arch}-glibc`,
    version: "2.9.6",
    binary: "deno",
    flags: ["run", "--no-prompt", "--no-lock", "--cached-only", ...DENO_PERMISSIONS],
  },
];

/** Outside of the tree, and kept between runs. */
// biome-ignore lint/suspicious/noUndeclaredEnvVars: turbo does not run this
export const CACHE = process.env.KAYA_RUNTIMES ?? join(homedir(), ".cache", "kaya-runtimes");

/**
 * The command of a runtime, installed from the registry if it is not in the cache.
 * @param {Runtime} runtime
 * @param {string} cache
 * @returns {Promise<string[]>} the binary and its flags
 * @throws Error if it cannot be installed
 */
export async function commandOf({ pkg, version, binary, flags }, cache = CACHE) {
  const home = join(cache, `${pkg.replace("/", "-")}-${version}`);
  const path = join(home, "node_modules", pkg, binary);
  if (!existsSync(path)) await install(`${pkg}@${version}`, home);
  return [path, ...flags];
}

/** A directory of its own takes the name once it is whole: an install that was killed is not found. */
async function install(spec, home) {
  mkdirSync(dirname(home), { recursive: true });
  const temporary = mkdtempSync(`${home}.`);
  const flags = [
    "--no-save",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--fetch-retries=1",
    "--fetch-timeout=30000",
  ];
  try {
    await promisify(execFile)("npm", ["install", "--prefix", temporary, ...flags, spec], { cwd: temporary });
    rmSync(home, { recursive: true, force: true });
    renameSync(temporary, home);
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    const reason = /^npm (?:error|ERR!) (.*)$/m.exec(cause.stderr ?? "")?.[1] ?? cause.message;
    throw new Error(`npm install ${spec} failed: ${reason}`, { cause });
  }
}
