import { invalid } from "../bytes.js";
import { displayBytes } from "../terminal/text.js";
import { plural } from "../units.js";
import { type ImportEntry, type ImportSource, placeIn } from "./import-source.js";
import { openSqliteDriver, type SqliteDriver, type SqlRow, sqlCall } from "./sqlite-driver.js";

export interface SqliteOptions {
  readonly table: string;
  readonly keyColumn: string;
  readonly valueColumn: string;
  /** Numbers become decimal text; they are refused otherwise. */
  readonly numbersAsText: boolean;
  /** Rows whose value is NULL are left out; they are refused otherwise. */
  readonly skipNulls: boolean;
}

const PAGE_ENTRIES = 1000;
const PAGE_BYTES = 1024 * 1024;

/** @throws KayaError KAYA_NOT_FOUND, KAYA_INVALID_ARGUMENT, KAYA_IO */
export async function openSqlite(file: string, options: SqliteOptions): Promise<ImportSource> {
  const driver = await openSqliteDriver(file);
  try {
    const source = new SqliteSource(file, driver, options);
    source.checkNames();
    return source;
  } catch (error) {
    driver.close();
    throw error;
  }
}

/**
 * The rows of a table of SQLite, one entry each, in the order of their keys. TEXT becomes UTF-8, a BLOB stays as it is; what is neither is
 * refused, or becomes decimal text.
 */
export class SqliteSource implements ImportSource {
  readonly unit = "row";
  readonly readBytes = 0;
  readonly name: string;
  readonly #file: string;
  readonly #driver: SqliteDriver;
  readonly #options: SqliteOptions;
  readonly #decode: (text: Uint8Array) => Uint8Array;
  readonly #isUtf8: boolean;
  #nulls = 0;
  #keyType: unknown;

  /** @throws KayaError KAYA_INVALID_ARGUMENT where the file is no database */
  constructor(file: string, driver: SqliteDriver, options: SqliteOptions) {
    this.#file = file;
    this.#driver = driver;
    this.#options = options;
    this.name = `the table ${options.table} of ${file}`;
    const [row] = sqlCall(file, () => [...driver.rows("PRAGMA encoding")]);
    const encoding = String(row?.encoding).toLowerCase();
    this.#isUtf8 = encoding === "utf-8";
    this.#decode = this.#isUtf8 ? (text) => text : fromUtf16(encoding, this.name);
  }

  get notes(): readonly string[] {
    if (this.#nulls === 0) return [];
    const [rows, were] = [plural(this.#nulls, "row"), this.#nulls === 1 ? "was" : "were"];
    return [`${rows} of ${this.name} ${were} left out: ${this.#options.valueColumn} is NULL`];
  }

  /** Reads no row. A wrong name is told before a data directory is made. @throws KayaError KAYA_INVALID_ARGUMENT */
  checkNames(): void {
    sqlCall(this.#file, () => [...this.#driver.rows(`${this.#sql()} LIMIT 0`)]);
  }

  async close(): Promise<void> {
    this.#driver.close();
  }

  async *pages(): AsyncGenerator<readonly ImportEntry[], void> {
    let page: ImportEntry[] = [];
    let [bytes, place] = [0, 0];
    let last: Uint8Array | undefined;
    const rows = sqlCall(this.#file, () => this.#driver.rows(this.#sql())[Symbol.iterator]());
    try {
      for (;;) {
        const next = sqlCall(this.#file, () => rows.next());
        if (next.done === true) break;
        const entry = this.#entryOf(next.value, ++place, last);
        if (entry === undefined) continue;
        last = entry.key;
        page.push(entry);
        bytes += entry.key.length + entry.value.length;
        if (page.length < PAGE_ENTRIES && bytes < PAGE_BYTES) continue;
        yield page;
        [page, bytes] = [[], 0];
      }
    } catch (error) {
      yield page;
      throw error;
    } finally {
      rows.return?.();
    }
    yield page;
  }

  /** In the order of the keys' bytes: so keys that are the same come behind each other. Text comes as the bytes that it is stored as. */
  #sql(): string {
    const { table, keyColumn, valueColumn } = this.#options;
    // A name that is no column's would be taken for a text, but for the `t.`.
    const [key, value] = [`t.${quoted(keyColumn)}`, `t.${quoted(valueColumn)}`];
    const bytesOf = (column: string) =>
      `CASE typeof(${column}) WHEN 'real' THEN ${column} ELSE CAST(${column} AS BLOB) END`;
    return (
      `SELECT typeof(${key}) AS keyType, ${bytesOf(key)} AS key, typeof(${value}) AS valueType, ${bytesOf(value)} AS value ` +
      `FROM ${quoted(table)} AS t ORDER BY CAST(${key} AS BLOB)`
    );
  }

  #entryOf(row: SqlRow, place: number, last: Uint8Array | undefined): ImportEntry | undefined {
    const { keyColumn, valueColumn, skipNulls } = this.#options;
    const refuse = (problem: string) => invalid(`${placeIn(this, place)} ${problem}`);
    if (row.keyType === "null" || row.keyType === "real")
      throw refuse(
        `has the ${keyColumn} ${row.keyType === "null" ? "NULL" : `${decimal(Number(row.key))} (REAL)`}, which is no key: it must be TEXT, BLOB or INTEGER`,
      );
    if (row.valueType === "null") {
      if (!skipNulls)
        throw refuse(
          `has the ${valueColumn} NULL, and Kaya has no such value: --skip-nulls leaves such rows out`,
        );
      this.#nulls++;
      return undefined;
    }
    const [key, value] = [this.#bytesOf(row.keyType, row.key), this.#bytesOf(row.valueType, row.value)];
    if (key === undefined)
      throw refuse(
        `has the ${keyColumn} ${this.#shown(row.key)}, a number: --numbers-as-text makes decimal text of numbers`,
      );
    if (value === undefined)
      throw refuse(
        `has the ${valueColumn} ${this.#shown(row.value)}, a number: --numbers-as-text makes decimal text of numbers`,
      );
    this.#keyType ??= row.keyType;
    // Equal keys of two types would not come behind each other.
    if (!this.#isUtf8 && this.#keyType !== row.keyType)
      throw refuse(
        `has a ${keyColumn} of another type than the rows before it, in a database whose text is UTF-16: make them one type`,
      );
    if (last !== undefined && Buffer.compare(last, key) === 0)
      throw refuse(
        `has the ${keyColumn} ${displayBytes(key)} again, and a key has one value: give a unique column`,
      );
    return { key, value, place };
  }

  /** Undefined for a number that must not become text. */
  #bytesOf(type: unknown, value: unknown): Uint8Array | undefined {
    if (type === "blob") return bytesIn(value);
    if (type === "text") return this.#decode(bytesIn(value));
    if (!this.#options.numbersAsText) return undefined;
    return type === "real" ? Buffer.from(decimal(Number(value))) : this.#decode(bytesIn(value));
  }

  #shown(value: unknown): string {
    return typeof value === "number" ? decimal(value) : displayBytes(this.#decode(bytesIn(value)));
  }
}

/** An empty BLOB comes as null from some. */
function bytesIn(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? new Uint8Array(value) : new Uint8Array(0);
}

/** The shortest text that is that number. */
function decimal(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function fromUtf16(encoding: string, name: string): (text: Uint8Array) => Uint8Array {
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  return (text) => {
    try {
      return Buffer.from(decoder.decode(text), "utf8");
    } catch {
      throw invalid(
        `${name} has text that is no valid ${encoding.toUpperCase()}: 0x${Buffer.from(text).toString("hex")}`,
      );
    }
  };
}
