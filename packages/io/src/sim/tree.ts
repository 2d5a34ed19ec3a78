import { KayaError } from "@kaya/core";
import type { DirEntry } from "../disk.js";
import { parentOf } from "../relative-path.js";
import { SimDirectory, type SimNode } from "./sim-directory.js";
import { SimInode } from "./sim-inode.js";

/** Follows a normalised path; undefined where a part of it is absent. `""` is the root. */
export function find(
  root: SimDirectory,
  path: string,
  image: "live" | "stable" = "live",
): SimNode | undefined {
  let node: SimNode | undefined = root;
  for (const name of segments(path)) {
    if (node instanceof SimInode) throw leadsThroughFile(path);
    node = node?.[image].get(name);
    if (node === undefined) return undefined;
  }
  return node;
}

/** The file at `path`; undefined where it is absent. @throws KayaError KAYA_INVALID_ARGUMENT where it is a directory. */
export function findFile(
  root: SimDirectory,
  path: string,
  image: "live" | "stable" = "live",
): SimInode | undefined {
  const node = find(root, path, image);
  if (node instanceof SimDirectory) {
    throw new KayaError("KAYA_INVALID_ARGUMENT", `${path} is a directory where a file must be`);
  }
  return node;
}

/** The file at `path`. @throws KayaError KAYA_NOT_FOUND; KAYA_INVALID_ARGUMENT where it is a directory. */
export function existingFile(root: SimDirectory, path: string): SimInode {
  const inode = findFile(root, path);
  if (inode === undefined) throw notFound(path);
  return inode;
}

/** The directory at `path`; undefined where it is absent. @throws KayaError KAYA_INVALID_ARGUMENT where it is a file. */
export function findDirectory(root: SimDirectory, path: string): SimDirectory | undefined {
  const node = find(root, path);
  if (node instanceof SimInode) {
    throw new KayaError("KAYA_INVALID_ARGUMENT", `${path} is a file where a directory must be`);
  }
  return node;
}

/** The directory that holds `path`, made where it is absent, as every directory above it. */
function makeParent(root: SimDirectory, path: string): SimDirectory {
  let directory = root;
  for (const name of segments(parentOf(path))) {
    let next = directory.live.get(name);
    if (next instanceof SimInode) throw leadsThroughFile(path);
    if (next === undefined) {
      next = directory.makeDirectory();
      directory.link(name, next);
    }
    directory = next;
  }
  return directory;
}

/** The result of `Disk.list`. */
export function entriesOf(root: SimDirectory, path: string): DirEntry[] {
  const entries = [...(findDirectory(root, path)?.live ?? [])].map(([name, node]) => ({
    path: path === "" ? name : `${path}/${name}`,
    isDirectory: node instanceof SimDirectory,
    length: node instanceof SimInode ? node.length : 0,
  }));
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The file at `path`, made where it is absent. */
export function link(root: SimDirectory, path: string): SimInode {
  const found = findFile(root, path);
  if (found !== undefined) return found;
  const parent = makeParent(root, path);
  const inode = parent.makeFile();
  parent.link(nameOf(path), inode);
  return inode;
}

/** Gives a file one more name, with the directories that lead to it. */
export function addName(root: SimDirectory, inode: SimInode, path: string): void {
  makeParent(root, path).link(nameOf(path), inode);
}

/** How many live names lead to a file. */
export function countNames(directory: SimDirectory, inode: SimInode): number {
  let count = 0;
  for (const node of directory.live.values()) {
    if (node === inode) count++;
    else if (node instanceof SimDirectory) count += countNames(node, inode);
  }
  return count;
}

export function unlink(root: SimDirectory, path: string): void {
  if (findFile(root, path) !== undefined) makeParent(root, path).unlink(nameOf(path));
}

/** Gives the file at `path` the name `target`. Between directories that is two operations, the new name first. */
export function move(root: SimDirectory, inode: SimInode, path: string, target: string): void {
  const source = makeParent(root, path);
  const destination = makeParent(root, target);
  if (source === destination) {
    source.rename(nameOf(path), nameOf(target), inode);
  } else {
    destination.link(nameOf(target), inode);
    source.unlink(nameOf(path));
  }
}

/** Root, then every directory on the way to `path`, as far as they exist; `path` itself is not among them. */
export function directoriesAbove(root: SimDirectory, path: string): readonly SimDirectory[] {
  const found = [root];
  let directory = root;
  for (const name of segments(parentOf(path))) {
    const next = directory.live.get(name);
    if (!(next instanceof SimDirectory)) break;
    found.push(next);
    directory = next;
  }
  return found;
}

/** The last segment of a path: the name in its directory. */
function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function segments(path: string): readonly string[] {
  return path === "" ? [] : path.split("/");
}

export function notFound(path: string): KayaError {
  return new KayaError("KAYA_NOT_FOUND", `${path} does not exist`);
}

function leadsThroughFile(path: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", `${path} leads through a file where a directory must be`);
}
