import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const execute = promisify(execFile);

const PACKAGE = fileURLToPath(new URL("../node_modules/better-sqlite3", import.meta.url));
const BINARY = join("build", "Release", "better_sqlite3.node");

/** Whether better-sqlite3 is installed but has no binary yet: it comes without one, and `pnpm install` builds nothing. */
export function needsBuilding(): boolean {
  return existsSync(PACKAGE) && !existsSync(join(PACKAGE, BINARY));
}

/**
 * Runs the package's own install script: a download where there is a network, or about a minute of compiling.
 * @throws where there is neither a binary to download nor a compiler
 */
export async function buildBetterSqlite3(): Promise<void> {
  await execute("npm", ["run", "install"], { cwd: realpathSync(PACKAGE), maxBuffer: 64 << 20 });
}
