import type { ScanProgress } from "@kaya/wal";

/** How far an opening is in replaying the log behind the tables. */
export type RecoveryProgress = ScanProgress;
