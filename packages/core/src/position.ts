/** Log sequence number: 1, 2, 3 … over the records of a log, without a gap. */
export type Lsn = number;

/** Number of an operation: 1, 2, 3 …; a record of n operations takes n of them. */
export type SequenceNumber = number;

/** A place in the log up to which everything is known from elsewhere (tables). `{ lsn: 0, sequence: 0 }` is its start. */
export interface LogPosition {
  readonly lsn: Lsn;
  readonly sequence: SequenceNumber;
}
