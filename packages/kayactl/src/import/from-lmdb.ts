import { open as openFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { KayaError } from "@kaya/core";
import { invalid, toHex } from "../bytes.js";
import { displayBytes } from "../terminal/text.js";
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
/** In the first page, behind a header of 16 or 24 bytes. */
const MAGIC = 0xbeefc0de;
const HEAD_BYTES = 28;

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
  await assertDatabase(path, info.isFile() ? path : join(path, "data.mdb"));
  const { db: name, compression, useVersions } = options;
  const asBytes = { keyEncoding: "binary", encoding: "binary", compression, useVersions };
  const root = opening(path, () => open({ path, readOnly: true, noSubdir: info.isFile(), ...asBytes }));
  try {
    const db = name === undefined ? root : opening(path, () => root.openDB(name, asBytes));
    if (db === undefined)
      throw new KayaError("KAYA_NOT_FOUND", `${path} has no database ${JSON.stringify(name)}`);
    return opening(path, () => new LmdbSource(path, root, db, name));
  } catch (error) {
    await root.close();
    throw error;
  }
}

/** LMDB maps any file into memory and believes it: one that is no database ends the process with a segmentation fault. */
async function assertDatabase(path: string, file: string): Promise<void> {
  const handle = await openFile(file, "r").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT")
      throw new KayaError("KAYA_NOT_FOUND", `${path} is no LMDB database: ${file} is not there`, { cause });
    throw new KayaError("KAYA_IO", `cannot read ${file}: ${cause.code ?? cause.message}`, { cause });
  });
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await handle.read(head, 0, HEAD_BYTES, 0);
    const isDatabase = [16, 24].some(
      (at) => head.readUInt32LE(at) === MAGIC || head.readUInt32BE(at) === MAGIC,
    );
    if (bytesRead < HEAD_BYTES || !isDatabase)
      throw invalid(`${file} is no LMDB database: its first page is none of LMDB's`);
  } finally {
    await handle.close();
  }
}

function opening<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    if (KayaError.is(cause)) throw cause;
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
          `${placeIn(this, place)} has the key ${displayBytes(key)} again: Kaya has one value for each key, so a database with several ` +
            "(dupSort) cannot be imported. Give each value its own key",
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
