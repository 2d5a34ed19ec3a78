import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { makeNameDurable, readSealedFile, writeSealedFile } from "@kaya/wal";
import { type ChangePosition, parseToken, toToken } from "./change-token.js";

/** Who wants the log kept, and from where on. Relative to the data directory. */
const CONSUMERS_PATH = "consumers";

const HEAD = "kaya consumers 1";

export type Positions = ReadonlyMap<string, ChangePosition>;
export type Edit = (positions: Map<string, ChangePosition>) => void;

/** The consumers of an engine and their places, in one small file. Those who change it at the same time share one writing. */
export class Registrations {
  readonly #disk: Disk;
  #durable: Positions;
  #edits: Edit[] = [];
  /** On their way to the disk. */
  #written: Positions | undefined;
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #closed: KayaError | undefined;
  readonly #isThere: boolean;
  /** The last writing failed: the disk may have what it was to write, or what was there before. */
  #isDoubtful = false;

  private constructor(disk: Disk, durable: Positions, isThere: boolean) {
    this.#disk = disk;
    this.#durable = durable;
    this.#isThere = isThere;
  }

  /** @throws KayaError KAYA_CORRUPTION where the file is damaged: without it what consumers need would be dropped; KAYA_IO */
  static async read(disk: Disk): Promise<Registrations> {
    try {
      const text = await readSealedFile(disk, CONSUMERS_PATH);
      return new Registrations(disk, text === undefined ? new Map() : parse(text), text !== undefined);
    } catch (error) {
      if (!KayaError.is(error, "KAYA_CORRUPTION")) throw error;
      const choices =
        "Nothing was changed. Restore it, or remove it to go on without consumers: each must be added again, and read the data as it is then.";
      throw new KayaError("KAYA_CORRUPTION", `${error.message} ${choices}`, { cause: error });
    }
  }

  /** What a killed process left may be in the page cache alone, and nobody may rely on it before. Rejects with KAYA_FSYNC_FAILED. */
  async makeDurable(): Promise<void> {
    if (this.#isThere) await makeNameDurable(this.#disk, CONSUMERS_PATH);
  }

  /** As they are on the disk. */
  get positions(): Positions {
    return this.#durable;
  }

  /** Those on the disk, and those on their way there: which of them a crash leaves is not known. */
  possible(): readonly ChangePosition[] {
    const written = this.#written ?? this.#durable;
    const wanted = new Map(written);
    for (const edit of this.#edits) edit(wanted);
    return [this.#durable, written, wanted].flatMap((positions) => [...positions.values()]);
  }

  /** Resolves when the change is durable. Rejects with KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED: then what was before stands; KAYA_CLOSED. */
  async change(edit: Edit): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    this.#edits.push(edit);
    this.#next ??= this.#writing.then(() => this.#write());
    this.#writing = this.#next.catch(() => undefined); // those who asked are told
    return this.#next;
  }

  /** Resolves when `positions` is what the disk has. Writes only after a writing that failed. Rejects as `change`. */
  async confirm(): Promise<void> {
    if (this.#isDoubtful) await this.change(() => undefined);
  }

  /** From now on changes reject with `reason`. Resolves when nothing is being written. */
  close(reason: KayaError): Promise<void> {
    this.#closed = reason;
    return this.#writing;
  }

  async #write(): Promise<void> {
    this.#next = undefined;
    const positions = new Map(this.#durable);
    for (const edit of this.#edits.splice(0)) edit(positions);
    this.#written = positions;
    try {
      await writeSealedFile(this.#disk, CONSUMERS_PATH, format(positions));
      this.#durable = positions;
      this.#isDoubtful = false;
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    } finally {
      this.#written = undefined;
    }
  }
}

function format(positions: Positions): string {
  const lines = [...positions].map(([name, position]) => `${toToken(position)} ${name}`);
  return [HEAD, ...lines, ""].join("\n");
}

// Whatever is not exactly as `format` writes it is refused: a line that is passed over is a consumer whose changes are dropped.
function parse(text: string): Positions {
  const [head, ...lines] = text.split("\n");
  if (head !== HEAD) throw unknownContent(JSON.stringify(head));
  const end = lines.pop();
  if (end !== "") throw unknownContent(`${JSON.stringify(end ?? head)} without a line end`);
  const positions = new Map<string, ChangePosition>();
  for (const line of lines) {
    const space = line.indexOf(" ");
    const name = line.slice(space + 1);
    const position = parseToken(line.slice(0, space));
    if (position === undefined || name === "") throw unknownContent(JSON.stringify(line));
    if (positions.has(name)) throw unknownContent(`${JSON.stringify(name)} twice`);
    positions.set(name, position);
  }
  return positions;
}

function unknownContent(found: string): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `${CONSUMERS_PATH} holds ${found}, which is not known to this code.`,
  );
}
