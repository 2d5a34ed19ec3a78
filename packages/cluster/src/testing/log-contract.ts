import type { SharedLog } from "../shared-log.js";
import type { ContractCheck } from "./blob-store-contract.js";
import { APPENDING } from "./log-contract/appending.js";
import { BASES } from "./log-contract/bases.js";
import { CLAIMING } from "./log-contract/claiming.js";
import { LogUnderTest } from "./log-contract/log-under-test.js";
import { MEMBERS } from "./log-contract/members.js";
import { READING } from "./log-contract/reading.js";

/** A new log, and the way to connect to it. */
export interface SharedLogFixture {
  /** Connects another client to the same log, as another node does. */
  connect(name: string): SharedLog;
  /** Lets this many milliseconds pass on the clock of the presences. */
  wait(ms: number): Promise<void>;
  /** Releases the log. The clients are closed before. */
  close(): Promise<void>;
}

/**
 * The checks that every `SharedLog` must pass, for any test runner: `for (const { name, run } of sharedLogContract(open)) test(name, run)`.
 * They do not inject faults: each kind of log has tests of its own for crashes, lost replies and network partitions.
 * @param open opens a new log for each check
 */
export function sharedLogContract(open: () => Promise<SharedLogFixture>): readonly ContractCheck[] {
  return [...CLAIMING, ...APPENDING, ...READING, ...BASES, ...MEMBERS].map(({ name, run }) => ({
    name,
    run: async () => {
      const fixture = await open();
      const log = new LogUnderTest(fixture);
      try {
        await run(log);
      } finally {
        await log.close();
        await fixture.close();
      }
    },
  }));
}
