/** The lock of a data directory. Relative to it. */
export const LOCK_PATH = "LOCK";
