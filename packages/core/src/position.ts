/** Log sequence number: 1, 2, 3 … over the records of a log, without a gap. */
export type Lsn = number;

/** Number of an operation: 1, 2, 3 …; a record of n operations takes n of them. */
export type SequenceNumber = number;

/** A record of the log: everything up to it is known. `{ lsn: 0, sequence: 0 }` is the beginning of the log. */
export interface LogPosition {
  /** Log sequence number of the record; 0 before the first. */
  readonly lsn: Lsn;
  /** The sequence of the record's last operation; 0 before the first. */
  readonly sequence: SequenceNumber;
}
