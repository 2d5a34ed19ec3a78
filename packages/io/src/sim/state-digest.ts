import { Digest } from "./digest.js";
import { type EntryOperation, SimDirectory } from "./sim-directory.js";
import type { DataOperation, SimInode } from "./sim-inode.js";
import type { SimLocks } from "./sim-locks.js";

/** Covers stable names and bytes and the locks' notes; or unsynced state too. */
export function digestState(root: SimDirectory, locks: SimLocks, withUnsynced: boolean): number {
  const digest = new Digest().word(withUnsynced ? 1 : 0);
  digestDirectory(root, digest, withUnsynced);
  for (const [path, { cleanStart, mark, lastMark }] of locks.states()) {
    digest
      .text(path)
      .word(cleanStart ? 1 : 0)
      .text(mark ?? "")
      .text(lastMark ?? "");
  }
  return digest.value;
}

function digestDirectory(directory: SimDirectory, into: Digest, withUnsynced: boolean): void {
  const names = directory.stable;
  for (const name of [...names.keys()].sort()) {
    const node = names.get(name);
    if (node === undefined) continue;
    into.text(name);
    if (node instanceof SimDirectory) digestDirectory(node, into, withUnsynced);
    else digestFile(node, into, withUnsynced);
  }
  into.number(names.size);
  if (!withUnsynced) return;
  for (const operation of directory.pending) digestEntryOperation(operation, into);
}

function digestFile(file: SimInode, into: Digest, withUnsynced: boolean): void {
  into.number(file.stable.digest());
  for (const { from, to } of file.unreadable) into.number(from).number(to);
  if (!withUnsynced) return;
  into.number(file.live.digest());
  for (const operation of file.pending) digestDataOperation(operation, into);
}

// A file with only an unsynced name is not among the stable names; it comes with that name.
function digestEntryOperation(operation: EntryOperation, into: Digest): void {
  into.text(operation.kind).text(operation.name);
  if (operation.kind === "rename") into.text(operation.target);
  if (operation.kind === "unlink") return;
  if (operation.node instanceof SimDirectory) digestDirectory(operation.node, into, true);
  else digestFile(operation.node, into, true);
}

function digestDataOperation(operation: DataOperation, into: Digest): void {
  into.text(operation.kind);
  if (operation.kind === "truncate") into.number(operation.length);
  else into.number(operation.position).number(operation.bytes.length);
}
