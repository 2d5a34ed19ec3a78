import { closedStore } from "./stores-on-disk.js";

/** A store with `scale.entries` entries. What lives in memory alone is filled by whoever reads it. */
export const filledStore = closedStore("filled-store", ({ entries }) => entries);
