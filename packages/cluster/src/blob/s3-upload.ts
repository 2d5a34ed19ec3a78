import { KayaError } from "@kaya/core";
import type { S3Api, UploadedPart } from "./s3-api.js";

/** S3 allows this many parts of an upload. */
const MOST_PARTS = 10_000;

/** The size of a part doubles after this number of parts, so that the upload stays below `MOST_PARTS`. */
const PARTS_OF_A_SIZE = 1_000;

/** The upload of one object: one request if it is small, otherwise an upload in parts. */
export class S3Upload {
  readonly #api: S3Api;
  readonly #key: string;
  readonly #partBytes: number;
  readonly #signal: AbortSignal | undefined;
  readonly #parts: UploadedPart[] = [];
  #id: string | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #bytes = 0;

  constructor(api: S3Api, key: string, partBytes: number, signal: AbortSignal | undefined) {
    this.#api = api;
    this.#key = key;
    this.#partBytes = partBytes;
    this.#signal = signal;
  }

  /** Stores all pieces as one object. If it fails, it removes the parts that were uploaded, and no object is stored. */
  async run(content: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const piece of content) await this.#add(piece);
      await this.#finish();
    } catch (error) {
      await this.#abandon();
      throw error;
    }
  }

  async #add(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.subarray(at, at + this.#sizeOfNext - this.#waitingBytes);
      this.#waiting.push(taken);
      this.#waitingBytes += taken.length;
      at += taken.length;
      if (this.#waitingBytes === this.#sizeOfNext) await this.#send();
    }
  }

  get #sizeOfNext(): number {
    return this.#partBytes * 2 ** Math.floor(this.#parts.length / PARTS_OF_A_SIZE);
  }

  async #send(): Promise<void> {
    this.#id ??= await this.#api.beginUpload(this.#key, this.#signal);
    if (this.#parts.length === MOST_PARTS)
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        `the object ${this.#key} has more than ${MOST_PARTS} parts: give more partBytes`,
      );
    const bytes = this.#take();
    const number = this.#parts.length + 1;
    this.#parts.push(await this.#api.uploadPart(this.#key, this.#id, number, bytes, this.#signal));
  }

  async #finish(): Promise<void> {
    if (this.#id === undefined) return this.#api.put(this.#key, this.#take(), this.#signal);
    if (this.#waitingBytes > 0) await this.#send();
    await this.#api.endUpload(this.#key, this.#id, this.#parts, this.#signal);
    this.#id = undefined; // the parts have become an object
    const size = await this.#api.sizeOf(this.#key, this.#signal);
    if (size === this.#bytes) return;
    throw new KayaError(
      "KAYA_IO",
      `the object ${this.#key} has ${size ?? "no"} bytes after its upload, and must have ${this.#bytes}`,
    );
  }

  #take(): Uint8Array {
    const bytes =
      this.#waiting.length === 1 ? (this.#waiting[0] as Uint8Array) : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#bytes += bytes.length;
    return bytes;
  }

  async #abandon(): Promise<void> {
    const id = this.#id;
    if (id === undefined) return;
    await this.#api.abortUpload(this.#key, id).catch(() => undefined); // the caller gets the first error
  }
}
