import { createRequire } from "node:module";
import { join } from "node:path";
import { invalid } from "../bytes.js";

/**
 * A package that the user has installed: it is looked for from the current directory, and is none of kayactl's own.
 * @param option that needs it
 * @throws KayaError KAYA_INVALID_ARGUMENT where it is not installed, or cannot be loaded
 */
export function loadInstalled<T>(name: string, option: string): T {
  const requireHere = createRequire(join(process.cwd(), "import.js"));
  try {
    requireHere.resolve(name);
  } catch {
    throw notInstalled(name, option);
  }
  try {
    return requireHere(name) as T;
  } catch (cause) {
    throw cannotBeLoaded(name, option, cause);
  }
}

export function isInstalled(name: string): boolean {
  try {
    createRequire(join(process.cwd(), "import.js")).resolve(name);
    return true;
  } catch {
    return false;
  }
}

export function notInstalled(name: string, option: string, or = ""): Error {
  return invalid(
    `${option} needs the package ${name}, which is not installed in ${process.cwd()} or above: npm install ${name}${or}`,
  );
}

export function cannotBeLoaded(name: string, option: string, cause: unknown): Error {
  const [reason] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
  return invalid(
    `${option} needs the package ${name}, which is installed but cannot be loaded (${reason}): npm rebuild ${name}`,
  );
}
