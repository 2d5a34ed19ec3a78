import type { CrashItem } from "./crash.js";
import { type EntryOperation, SimDirectory, type SimNode } from "./sim-directory.js";
import type { DataOperation, SimInode } from "./sim-inode.js";

export function dataItem(operation: DataOperation, path: string, fileLength: number): CrashItem {
  const { id } = operation;
  if (operation.kind === "truncate") {
    return { kind: "truncate", id, path, length: operation.length, fileLength };
  }
  const { position, bytes } = operation;
  return { kind: "write", id, path, position, length: bytes.length, fileLength };
}

export function entryItem(operation: EntryOperation, pathOf: (name: string) => string): CrashItem {
  const { id } = operation;
  const path = pathOf(operation.name);
  if (operation.kind === "rename")
    return { kind: operation.kind, id, path, target: pathOf(operation.target) };
  return { kind: operation.kind, id, path };
}

/**
 * Every unsynced operation below `root`, in the order of their making, also those that a crash sees only if it undoes a removal. Lengths
 * are those of a crash that keeps all of them.
 */
export function unsyncedItems(root: SimDirectory): CrashItem[] {
  const items: CrashItem[] = [];
  const seen = new Set<SimNode>();
  const visit = (node: SimNode, path: string) => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node instanceof SimDirectory) visitDirectory(node, path);
    else items.push(...itemsOf(node, path));
  };
  const visitDirectory = (directory: SimDirectory, path: string) => {
    const pathOf = (name: string) => (path === "" ? name : `${path}/${name}`);
    for (const [name, node] of directory.live) visit(node, pathOf(name));
    for (const [name, node] of directory.stable) visit(node, pathOf(name));
    for (const operation of directory.pending) {
      items.push(entryItem(operation, pathOf));
      if (operation.kind !== "unlink") visit(operation.node, pathOf(operation.name));
    }
  };
  visit(root, "");
  return items.sort((a, b) => a.id - b.id);
}

function itemsOf(inode: SimInode, path: string): CrashItem[] {
  let length = inode.stable.length;
  return inode.pending.map((operation) => {
    const item = dataItem(operation, path, length);
    length = operation.kind === "truncate" ? operation.length : Math.max(length, endOf(operation));
    return item;
  });
}

function endOf(write: { readonly position: number; readonly bytes: Uint8Array }): number {
  return write.position + write.bytes.length;
}
