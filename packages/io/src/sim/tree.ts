import { KayaError } from "@kaya/core";
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

/** The directory at `path`; undefined where it is absent. @throws KayaError KAYA_INVALID_ARGUMENT where it is a file. */
export function findDirectory(root: SimDirectory, path: string): SimDirectory | undefined {
  const node = find(root, path);
  if (node instanceof SimInode) {
    throw new KayaError("KAYA_INVALID_ARGUMENT", `${path} is a file where a directory must be`);
  }
  return node;
}

/** The directory that holds `path`, made where it is absent, as every directory above it. */
export function makeParent(root: SimDirectory, path: string): SimDirectory {
  let directory = root;
  for (const name of segments(parentOf(path))) {
    let next = directory.live.get(name);
    if (next instanceof SimInode) throw leadsThroughFile(path);
    if (next === undefined) {
      next = new SimDirectory();
      directory.link(name, next);
    }
    directory = next;
  }
  return directory;
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
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function segments(path: string): readonly string[] {
  return path === "" ? [] : path.split("/");
}

function leadsThroughFile(path: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", `${path} leads through a file where a directory must be`);
}
