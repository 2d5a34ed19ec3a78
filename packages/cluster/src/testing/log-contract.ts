import type { SharedLog } from "../shared-log.js";
import type { ContractCheck } from "./blob-store-contract.js";
import { APPENDING } from "./log-contract/appending.js";
import { BASES } from "./log-contract/bases.js";
import { CLAIMING } from "./log-contract/claiming.js";
import { LogUnderTest } from "./log-contract/log-under-test.js";
import { MEMBERS } from "./log-contract/members.js";
import { READING } from "./log-contract/reading.js";

/** A fresh log, and how to reach it. */
export interface SharedLogFixture {
  /** Another client of the same log, as another node has it. */
  connect(name: string): SharedLog;
  /** Lets so many milliseconds pass, of the time in which presences run out. */
  wait(ms: number): Promise<void>;
  /** Lets go of the log. The clients are closed already. */
  close(): Promise<void>;
}

/**
 * What each `SharedLog` must do, as checks for any test runner: `for (const { name, run } of sharedLogContract(open)) test(name, run)`. It says
 * nothing of faults: crashes, lost replies and partitions are the log's own to test.
 * @param open gives a fresh log for each check
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
