import type { ScanProgress } from "@kaya/wal";

/** How far an opening has read the log behind the tables. */
export type RecoveryProgress = ScanProgress;
