import { closedStore } from "./stores-on-disk.js";

/** A store with `scale.entries` entries. A store in memory only is filled by the process that reads it. */
export const filledStore = closedStore("filled-store", ({ entries }) => entries);
