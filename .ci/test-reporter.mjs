import { DefaultReporter } from "vitest/node";

/**
 * One line a package, as soon as all its tests have run; each failure, as vitest reports it; at the end one line of totals.
 */
export default class TestReporter extends DefaultReporter {
  #packages = new Map();

  constructor() {
    super({ summary: false });
  }

  onTestRunStart(specifications) {
    super.onTestRunStart(specifications);
    for (const { project } of specifications) {
      const known = this.#packages.get(project.name) ?? { left: 0, passed: 0, failed: 0, skipped: 0, ms: 0 };
      known.left++;
      this.#packages.set(project.name, known);
    }
  }

  printTestModule(testModule) {
    const { name } = testModule.project;
    const counts = this.#packages.get(name);
    for (const test of testModule.children.allTests()) counts[test.result().state]++;
    counts.ms += testModule.diagnostic().duration;
    if (!testModule.ok()) super.printTestModule(testModule);
    if (--counts.left === 0) this.log(`${name.padEnd(10)} ${line(counts)}, ${seconds(counts.ms)} of work`);
  }

  reportTestSummary(files, errors) {
    const totals = { passed: 0, failed: 0, skipped: 0 };
    for (const counts of this.#packages.values()) for (const state in totals) totals[state] += counts[state];
    // A file that does not load, and an error outside of all tests, have no test of their own.
    totals.failed +=
      errors.length +
      files.filter(({ result, tasks }) => result?.state === "fail" && tasks.length === 0).length;
    this.log(`in ${seconds(this.end - this.start)}, ${this.#packages.size} packages`);
    this.log(line(totals));
  }
}

const line = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
