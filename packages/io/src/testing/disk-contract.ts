import type { Disk } from "../disk.js";
import { type Check, runCheck } from "./check.js";
import { dataChecks } from "./data-checks.js";
import { directoryChecks } from "./directory-checks.js";
import { handleChecks } from "./handle-checks.js";
import { lockChecks } from "./lock-checks.js";
import { openChecks } from "./open-checks.js";
import { pathChecks } from "./path-checks.js";
import { syncChecks } from "./sync-checks.js";

const CHECKS: readonly Check[] = [
  ...openChecks,
  ...dataChecks,
  ...syncChecks,
  ...directoryChecks,
  ...handleChecks,
  ...lockChecks,
  ...pathChecks,
];

/** One check of the contract of disks, for any test runner. */
export interface ContractCheck {
  /** The behaviour, as a sentence. */
  readonly name: string;
  /** Runs the check. It rejects if the disk behaves differently. */
  run(): Promise<void>;
}

/**
 * What every `Disk` must do, as far as it shows without a crash; for use under any test runner. Each check asks
 * `makeDisk` for an empty disk of its own, and closes what it opened; what the disk leaves behind is the caller's.
 */
export function diskContract(makeDisk: () => Promise<Disk> | Disk): readonly ContractCheck[] {
  return CHECKS.map((check) => ({
    name: check.name,
    run: async () => runCheck(check, await makeDisk()),
  }));
}
