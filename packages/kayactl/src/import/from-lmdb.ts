import { stat } from "node:fs/promises";
import { KayaError } from "@kaya/core";
import { invalid, toHex } from "../bytes.js";
import { displayBytes } from "../text.js";
import { type ImportEntry, type ImportSource, placeIn } from "./import-source.js";
import { loadInstalled } from "./installed.js";

/** What of the package `lmdb` is used. */
interface LmdbModule {
  open(options: object): Lmdb;
}

interface Lmdb {
  openDB(name: string, options: object): Lmdb | undefined;
  getRange(options: object): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
  close(): Promise<void>;
}

export interface LmdbOptions {
  /** A named database; undefined: the unnamed one. */
  readonly db: string | undefined;
  /** As the program that wrote it opened it: lmdb does not remember. */
  readonly compression: boolean;
  readonly useVersions: boolean;
}

const PAGE_ENTRIES = 1000;
const PAGE_BYTES = 1024 * 1024;
/** Of what LMDB stores under the name of a database; the name ends with a 00. */
const DATABASE_BYTES = 48;
const DEEPEST = 64;

/**
 * The entries of an LMDB database, keys and values as LMDB has them: a text key is its UTF-8; other keys are in the order-preserving encoding of
 * the package; a value is in the encoding of the program, MessagePack if it said nothing.
 * @throws KayaError KAYA_NOT_FOUND, KAYA_INVALID_ARGUMENT, KAYA_IO
 */
export async function openLmdb(path: string, options: LmdbOptions): Promise<ImportSource> {
  const { open } = loadInstalled<LmdbModule>("lmdb", "--from-lmdb");
  const info = await stat(path).catch((cause: unknown) => {
    throw new KayaError("KAYA_NOT_FOUND", `there is no LMDB database ${path}`, { cause });
  });
  const { db: name, compression, useVersions } = options;
  const asBytes = { keyEncoding: "binary", encoding: "binary", compression, useVersions };
  const root = opening(path, () => open({ path, readOnly: true, noSubdir: info.isFile(), ...asBytes }));
  const db = name === undefined ? root : opening(path, () => root.openDB(name, asBytes));
  if (db === undefined) {
    await root.close();
    throw new KayaError("KAYA_NOT_FOUND", `${path} has no database ${JSON.stringify(name)}`);
  }
  return new LmdbSource(path, root, db, name);
}

function opening<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    throw new KayaError("KAYA_IO", `lmdb cannot open ${path}: ${(cause as Error).message}`, { cause });
  }
}

class LmdbSource implements ImportSource {
  readonly unit = "entry";
  readonly readBytes = 0;
  readonly name: string;
  readonly #root: Lmdb;
  readonly #db: Lmdb;
  /** That are not read, by their keys in hex. */
  readonly #databases: ReadonlyMap<string, string>;

  constructor(path: string, root: Lmdb, db: Lmdb, name: string | undefined) {
    this.name = name === undefined ? path : `the database ${JSON.stringify(name)} of ${path}`;
    this.#root = root;
    this.#db = db;
    this.#databases = name === undefined ? namedDatabases(root) : new Map();
  }

  get notes(): readonly string[] {
    if (this.#databases.size === 0) return [];
    const names = [...this.#databases.values()].map((name) => JSON.stringify(name)).join(", ");
    return [`${this.name} has databases with a name, which were not imported (--db NAME): ${names}`];
  }

  async *pages(): AsyncGenerator<readonly ImportEntry[], void> {
    let page: ImportEntry[] = [];
    let [bytes, place] = [0, 0];
    let last: Uint8Array | undefined;
    for (const { key: lentKey, value: lentValue } of this.#db.getRange({})) {
      const [key, value] = [new Uint8Array(lentKey), new Uint8Array(lentValue)];
      if (value.length === DATABASE_BYTES && this.#databases.has(toHex(key))) continue;
      place++;
      if (last !== undefined && Buffer.compare(last, key) === 0) {
        yield page;
        throw invalid(
          `${placeIn(this, place)} has the key ${displayBytes(key)} once more: a database with several values to a key (dupSort) has no place ` +
            "in Kaya, where a key has one. Give each value a key of its own",
        );
      }
      last = key;
      page.push({ key, value, place });
      bytes += key.length + value.length;
      if (page.length < PAGE_ENTRIES && bytes < PAGE_BYTES) continue;
      yield page;
      [page, bytes] = [[], 0];
    }
    yield page;
  }

  async close(): Promise<void> {
    await this.#root.close();
  }
}

/** What the unnamed database has under the name of another one, by key in hex. */
function namedDatabases(root: Lmdb): ReadonlyMap<string, string> {
  const candidates: Uint8Array[] = [];
  for (const { key, value } of root.getRange({})) {
    if (key.at(-1) === 0 && isDatabaseRecord(value)) candidates.push(new Uint8Array(key));
  }
  // Once nothing is read any more: LMDB opens no database in the middle of that.
  const found = new Map<string, string>();
  for (const key of candidates) {
    const name = Buffer.from(key.subarray(0, -1)).toString("utf8");
    if (isDatabase(root, name)) found.set(toHex(key), name);
  }
  return found;
}

/** Whether bytes look as a database's record does: a padding of zeros, flags, a depth, and five counts. */
function isDatabaseRecord(value: Uint8Array): boolean {
  if (value.length !== DATABASE_BYTES) return false;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return view.getUint32(0, true) === 0 && view.getUint16(6, true) <= DEEPEST;
}

function isDatabase(root: Lmdb, name: string): boolean {
  try {
    return root.openDB(name, { keyEncoding: "binary", encoding: "binary" }) !== undefined;
  } catch {
    return false; // an entry that looks like one
  }
}
