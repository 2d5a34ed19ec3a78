import type { LogHistory } from "@kaya/wal";

/** What the tables of a backup have for a log's identity: an id of their own, and that of the store's log; `-` where it had none. */
const BACKUP = /^([0-9a-f]{16}) from ([0-9a-f]{16}|-)$/;

export interface BackupIdentity {
  /** A backup is a store of its own: beside the log that it was made of it is refused as beside any other. */
  readonly id: string;
  /** The log that it was made of; undefined where that had no id. */
  readonly from: string | undefined;
}

export function formatBackupIdentity({ id, from }: BackupIdentity): string {
  return `${id} from ${from ?? "-"}`;
}

/** Undefined where the tables are no backup, or were written to after they were one. */
export function parseBackupIdentity(logIdentity: string): BackupIdentity | undefined {
  const [, id, from] = BACKUP.exec(logIdentity) ?? [];
  return id === undefined ? undefined : { id, from: from === "-" ? undefined : from };
}

/** The id of the log that tables cover, in whichever form they have it; undefined where they have none. */
export function coveredLogId(logIdentity: string): string | undefined {
  return parseBackupIdentity(logIdentity)?.id ?? (logIdentity === "" ? undefined : logIdentity);
}

/** A store, as a backup remembers it. */
export class StoreIdentity {
  readonly #history: LogHistory | undefined;
  readonly #tables: string | undefined;

  /** @param tables identity that the tables have of the log */
  constructor(history: LogHistory | undefined, tables: string) {
    this.#history = history;
    this.#tables = coveredLogId(tables);
  }

  /** Undefined where nothing was written to it, or its id is lost. */
  get id(): string | undefined {
    return this.#history?.id ?? this.#tables;
  }

  /** Whether the log had this id before, or goes on from a backup that has it. */
  isOrWas(id: string): boolean {
    return id === this.#tables || this.#history?.includes({ id, lsn: 0 }) === true;
  }
}
