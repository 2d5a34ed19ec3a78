import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** For the tests of one file: gives a path below one directory that nothing is at yet, and is removed in the end. */
export function temporaryLocations(): () => string {
  // At once, not in a hook: abstract-level's suite makes databases while it is being defined.
  const root = mkdtempSync(join(tmpdir(), "kaya-level-"));
  let count = 0;
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return () => join(root, `${++count}`);
}
