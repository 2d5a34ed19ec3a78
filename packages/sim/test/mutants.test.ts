import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

interface MutantResult {
  readonly name: string;
  readonly outcome: string;
  readonly foundBy: string;
  readonly cost: string;
  readonly message: string;
}

interface MutationDocument {
  readonly baseline: MutantResult;
  readonly mutants: readonly MutantResult[];
  readonly survivors: readonly MutantResult[];
}

const MAIN = fileURLToPath(new URL("../mutants/main.mjs", import.meta.url));

const { baseline, mutants, survivors, exitCode } = await checkMutants();

describe("the mutation check", () => {
  it("finds nothing in the code as it is", () => {
    expect(baseline).toMatchObject({ outcome: "survived", message: "" });
  });

  it("finds every deliberate bug", () => {
    expect(survivors).toEqual([]);
    expect(mutants.length).toBeGreaterThanOrEqual(14);
    expect(exitCode).toBe(0);
  });

  it.each(mutants)("finds: $name", ({ outcome, foundBy, message }) => {
    expect({ outcome, message }).toEqual({ outcome: "found", message: expect.any(String) });
    expect(foundBy).not.toBe("");
  });
});

function checkMutants(): Promise<MutationDocument & { readonly exitCode: number | null }> {
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, [MAIN, "--json"], (_, stdout, stderr) => {
      if (stdout === "") reject(new Error(stderr));
      else resolve({ ...(JSON.parse(stdout) as MutationDocument), exitCode: child.exitCode });
    });
  });
}
