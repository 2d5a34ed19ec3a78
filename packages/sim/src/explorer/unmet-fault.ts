import { KayaError } from "@kaya/core";
import type { SimDisk } from "@kaya/io";

/** The workload has no such operation: it does other ones than when the place of the fault was chosen. */
export class UnmetFaultError extends KayaError {
  constructor(message: string) {
    super("KAYA_INVALID_ARGUMENT", message);
  }
}

/** @throws UnmetFaultError where the fault with that index met nothing */
export function mustBeMet(disk: SimDisk, at: number, what: string): void {
  if (disk.events.some(({ index, error }) => index === at && error !== undefined)) return;
  throw new UnmetFaultError(`there is no ${what}`);
}
