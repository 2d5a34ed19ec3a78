import { KayaError } from "@kaya/core";
import pc from "picocolors";

/** A stream of Node that the output is written to. */
export interface OutputStream extends NodeJS.WritableStream {
  /** True if it is a terminal: then there are colors and progress. */
  readonly isTTY?: boolean;
  /** The width of the terminal in characters. */
  readonly columns?: number;
}

/** The reader of standard output went away (`| head`): no error, and nothing more to do. */
export class OutputClosed extends Error {}

/** SIGINT. */
export class Interrupted extends Error {}

export type Colors = ReturnType<typeof pc.createColors>;

const CHUNK_CHARACTERS = 64 * 1024;
const DEFAULT_COLUMNS = 80;
const CLOSED = ["EPIPE", "ECONNRESET", "ERR_STREAM_DESTROYED", "ERR_STREAM_WRITE_AFTER_END"];

/**
 * Writes in large chunks, and each only when the one before has left the process: a slow reader slows the program down
 * instead of filling its memory.
 */
export class Output {
  readonly isTty: boolean;
  #colors: Colors;
  readonly #stream: OutputStream;
  readonly #signal: AbortSignal | undefined;
  #pending: string[] = [];
  #pendingCharacters = 0;

  constructor(stream: OutputStream, signal?: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
    this.isTty = stream.isTTY === true;
    this.#colors = pc.createColors(wantsColors(this.isTty));
  }

  get colors(): Colors {
    return this.#colors;
  }

  disableColors(): void {
    this.#colors = pc.createColors(false);
  }

  /** The same stream with the same colours, for a result that is shown after an interruption too. */
  uninterrupted(): Output {
    const output = new Output(this.#stream);
    output.#colors = this.#colors;
    return output;
  }

  /** Of the terminal, as wide as it is now. */
  get columns(): number {
    return columnsOf(this.#stream);
  }

  /** Of a terminal; undefined elsewhere: a line may have any length there. */
  get lineColumns(): number | undefined {
    return this.isTty ? this.columns : undefined;
  }

  /**
   * Gives a promise only where something is on its way: a caller with very many lines awaits that alone.
   * @throws OutputClosed, Interrupted
   * @throws KayaError KAYA_DISK_FULL or KAYA_IO where the stream takes no more
   */
  write(text: string): Promise<void> | undefined {
    this.#pending.push(text);
    this.#pendingCharacters += text.length;
    return this.#pendingCharacters >= CHUNK_CHARACTERS ? this.flush() : undefined;
  }

  line(text: string): Promise<void> | undefined {
    return this.write(`${text}\n`);
  }

  async bytes(bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.#send(bytes);
  }

  async flush(): Promise<void> {
    if (this.#pendingCharacters === 0) return;
    const text = this.#pending.join("");
    this.#pending = [];
    this.#pendingCharacters = 0;
    await this.#send(text);
  }

  #send(chunk: string | Uint8Array): Promise<void> {
    if (this.#signal?.aborted) return Promise.reject(new Interrupted());
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(new Interrupted());
      this.#signal?.addEventListener("abort", onAbort, { once: true });
      this.#stream.write(chunk, (error) => {
        this.#signal?.removeEventListener("abort", onAbort);
        if (error) reject(asOutputError(error));
        else resolve();
      });
    });
  }
}

/** FORCE_COLOR counts before NO_COLOR, as in Node itself. An empty variable says nothing. */
function wantsColors(isTty: boolean): boolean {
  const { FORCE_COLOR: forced = "", NO_COLOR: none = "", TERM } = process.env;
  if (forced !== "") return forced !== "0" && forced !== "false";
  return isTty && none === "" && TERM !== "dumb";
}

/** Columns of a stream. A terminal that reports none, or 0, has those of the variable COLUMNS, or 80. */
export function columnsOf({ columns = 0 }: OutputStream): number {
  if (columns > 0) return columns;
  const named = Number(process.env.COLUMNS);
  return Number.isSafeInteger(named) && named > 0 ? named : DEFAULT_COLUMNS;
}

function asOutputError(error: NodeJS.ErrnoException): Error {
  const code = error.code ?? error.message;
  if (CLOSED.includes(code)) return new OutputClosed();
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  return new KayaError(isFull ? "KAYA_DISK_FULL" : "KAYA_IO", `cannot write the output: ${code}`, {
    cause: error,
  });
}
