/** Says that the directory is a replica of a shared log. Relative to the data directory. */
export const REPLICA_PATH = "REPLICA";
