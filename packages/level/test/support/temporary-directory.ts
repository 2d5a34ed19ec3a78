import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";

/** For the tests of one file: gives a path below one directory that nothing is at yet, and is removed in the end. */
export function temporaryLocations(): () => string {
  let root = "";
  let count = 0;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "kaya-level-"));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));
  return () => join(root, `${++count}`);
}
