import { BLOCK_FORMAT_MUTANTS } from "./block-format-mutants.mjs";
import { CLUSTER_MUTANTS } from "./cluster-mutants.mjs";
import { COPY_MUTANTS } from "./copy-mutants.mjs";
import { DIR_MUTANTS } from "./dir-mutants.mjs";
import { ENGINE_MUTANTS } from "./engine-mutants.mjs";
import { EVIDENCE_MUTANTS } from "./evidence-mutants.mjs";
import { EXPIRY_MUTANTS } from "./expiry-mutants.mjs";
import { FEED_MUTANTS } from "./feed-mutants.mjs";
import { FLUSH_MUTANTS } from "./flush-mutants.mjs";
import { INDEX_MUTANTS } from "./index-mutants.mjs";
import { INPUT_MUTANTS } from "./input-mutants.mjs";
import { LARGE_VALUE_MUTANTS } from "./large-value-mutants.mjs";
import { LOOP_MUTANTS } from "./loop-mutants.mjs";
import { OWNER_MUTANTS } from "./owner-mutants.mjs";
import { RANGE_MUTANTS } from "./range-mutants.mjs";
import { READ_AHEAD_MUTANTS } from "./read-ahead-mutants.mjs";
import { REAL_MUTANTS } from "./real-mutants.mjs";
import { RECOVERY_MUTANTS } from "./recovery-mutants.mjs";
import { ROW_CACHE_MUTANTS } from "./row-cache-mutants.mjs";
import { SPACE_MUTANTS } from "./space-mutants.mjs";
import { STAGING_MUTANTS } from "./staging-mutants.mjs";
import { STORE_MUTANTS } from "./store-mutants.mjs";
import { SYNC_MUTANTS } from "./sync-mutants.mjs";
import { TABLE_MUTANTS } from "./table-mutants.mjs";
import { TRANSACTION_MUTANTS } from "./transaction-mutants.mjs";
import { TREE_MUTANTS } from "./tree-mutants.mjs";
import { TURNS_MUTANTS } from "./turns-mutants.mjs";
import { TWO_FAULT_MUTANTS } from "./two-fault-mutants.mjs";
import { WRITE_MUTANTS } from "./write-mutants.mjs";

/**
 * @typedef {object} Patch
 * @property {string} file below packages/
 * @property {string} find
 * @property {string} replace
 *
 * A deliberate bug: one piece of the built code, which must be there exactly once, and what stands in its place.
 *
 * @typedef {object} Mutant
 * @property {string} name
 * @property {string} rule what it breaks: a rule of wal/FORMAT.md, or what the engine promises
 * @property {string} file below packages/
 * @property {string} find
 * @property {string} replace
 * @property {string} [append] what the replacement needs besides, at the end of the file
 * @property {readonly Patch[]} [also] where the bug has more than one place
 * @property {"explorer" | "real" | "cluster"} [instrument] the one that must find it; default: any but "real" and "cluster"
 * @property {string} [first] what is looked at before all else, to save time: scenarios with this in their name, or "simulation". Where it begins
 *   with "two faults", 24 seeds of those schedules come first
 */

const tableMutants = [
  ...TABLE_MUTANTS,
  ...BLOCK_FORMAT_MUTANTS,
  ...ROW_CACHE_MUTANTS,
  ...READ_AHEAD_MUTANTS,
].map((mutant) => ({
  first: "table:",
  ...mutant,
}));
const storeMutants = STORE_MUTANTS.map((mutant) => ({ first: "simulation", ...mutant }));
/** @type {Mutant[]} */
const realMutants = REAL_MUTANTS.map((mutant) => ({ instrument: "real", ...mutant }));

/** @type {Mutant[]} */
const clusterMutants = CLUSTER_MUTANTS.map((mutant) => ({ instrument: "cluster", ...mutant }));

// No scenario but those of @kaya/lsm uses it.
const treeMutants = [...TREE_MUTANTS, ...STAGING_MUTANTS].map((mutant) => ({
  first: "lsm:",
  instrument: "explorer",
  ...mutant,
}));

const expiryMutants = EXPIRY_MUTANTS.map((mutant) => ({ first: "simulation", ...mutant }));
const indexMutants = INDEX_MUTANTS.map((mutant) => ({ first: "engine: an index", ...mutant }));
const spaceMutants = SPACE_MUTANTS.map((mutant) => ({ first: "wal: space ahead", ...mutant }));

/** @type {readonly Mutant[]} */
export const MUTANTS = [
  ...WRITE_MUTANTS,
  ...spaceMutants,
  ...RECOVERY_MUTANTS,
  ...expiryMutants,
  ...indexMutants,
  ...ENGINE_MUTANTS,
  ...TRANSACTION_MUTANTS,
  ...storeMutants,
  ...FLUSH_MUTANTS,
  ...FEED_MUTANTS,
  ...COPY_MUTANTS,
  ...TWO_FAULT_MUTANTS,
  ...LARGE_VALUE_MUTANTS,
  ...LOOP_MUTANTS,
  ...TURNS_MUTANTS,
  ...OWNER_MUTANTS,
  ...DIR_MUTANTS,
  ...INPUT_MUTANTS,
  ...EVIDENCE_MUTANTS,
  ...RANGE_MUTANTS,
  ...SYNC_MUTANTS,
  ...realMutants,
  ...clusterMutants,
  ...tableMutants,
  ...treeMutants,
];
