import tape from "tape";

/** One assertion of a tape test. */
export interface Assertion {
  readonly ok: boolean;
  readonly name: string;
  readonly operator: string;
  readonly actual?: unknown;
  readonly expected?: unknown;
  /** True, or the reason. */
  readonly skip?: unknown;
  readonly todo?: unknown;
}

/** Runs one test under tape, which knows of plans, promises and the end of a test. Gives its assertions once it is over. */
export function runTape(name: string, body: tape.TestCase): Promise<Assertion[]> {
  const harness = tape.createHarness({ autoclose: true });
  const rows = harness.createStream({ objectMode: true });
  harness(name, body);
  return new Promise((resolve, reject) => {
    const assertions: Assertion[] = [];
    rows.on("data", (row: Assertion & { type: string }) => row.type === "assert" && assertions.push(row));
    rows.on("end", () => resolve(assertions));
    rows.on("error", reject);
  });
}

/** @throws Error that tells of every assertion that failed, was skipped, or does not count yet */
export function failOnBad(assertions: readonly Assertion[]): void {
  const bad = assertions.filter(({ ok, skip, todo }) => !ok || Boolean(skip) || Boolean(todo));
  if (bad.length === 0) return;
  const lines = bad.map(({ name, operator, actual, expected, skip, todo }) => {
    const why = skip || todo ? "skipped" : `got ${String(actual)}, expected ${String(expected)}`;
    return `${name} (${operator}): ${why}`;
  });
  throw new Error(lines.join("\n"));
}
