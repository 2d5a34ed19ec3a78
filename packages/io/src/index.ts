export { assertDisk } from "./assert-disk.js";
export { isFile, isRemovable } from "./dir-entry.js";
export type {
  CreateOptions,
  DirEntry,
  Disk,
  DiskFile,
  DiskLock,
  OpenOptions,
  ReleaseOptions,
  SpecialEntry,
} from "./disk.js";
export type { DirectoryIdentity } from "./file-identity.js";
export { type LockHolder, readLockHolder } from "./lock-holder.js";
export { type LockNote, readLockNote } from "./lock-note.js";
export { NodeDisk } from "./node-disk.js";
export { parentOf, relativeFilePath, relativePath } from "./relative-path.js";
export type {
  CrashDecision,
  CrashItem,
  CrashOptions,
  CrashOutcome,
  CrashReport,
  CrashReportItem,
  TornWrite,
} from "./sim/crash.js";
export { FaultSchedule, type MetFault, type ScheduledFault } from "./sim/fault-schedule.js";
export type {
  FailedSyncOutcome,
  Fault,
  FaultRule,
  MutatingKind,
  ReadingKind,
  WriteFault,
  WriteFaultRule,
} from "./sim/faults.js";
export type { OperationHook, SimDiskEvent } from "./sim/operations.js";
export { Random } from "./sim/random.js";
export { SimDisk, type SimDiskOptions } from "./sim/sim-disk.js";
