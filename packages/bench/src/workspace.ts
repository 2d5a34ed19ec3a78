import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const BESIDE_THE_CODE = fileURLToPath(new URL("../node_modules", import.meta.url));

/**
 * Calls `work` with an empty directory for data, and removes it afterwards. A temporary directory of the system may be memory,
 * on which every sync is free: so it stands beside the code unless `dir` says where.
 */
export async function withDataDirectory<T>(
  dir: string | undefined,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const parent = dir === undefined ? BESIDE_THE_CODE : resolve(dir);
  await mkdir(parent, { recursive: true });
  const path = await mkdtemp(join(parent, ".kaya-bench-"));
  try {
    return await work(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}
