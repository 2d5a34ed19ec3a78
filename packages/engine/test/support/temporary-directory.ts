import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Fresh directories for one test file, and their removal. */
export function temporaryDirectories() {
  const made: string[] = [];
  return {
    async make(): Promise<string> {
      const directory = await mkdtemp(join(tmpdir(), "kaya-engine-"));
      made.push(directory);
      return directory;
    },
    async remove(): Promise<void> {
      await Promise.all(made.map((directory) => rm(directory, { recursive: true, force: true })));
    },
  };
}
