export {
  type EntryCursor,
  type EntryKind,
  type Found,
  PUT,
  type RangeTombstone,
  TOMBSTONE,
} from "./entry.js";
