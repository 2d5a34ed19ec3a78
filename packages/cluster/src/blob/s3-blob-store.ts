import { throwIfAborted } from "@kaya/core";
import type { BlobInfo, BlobOptions, BlobRange, BlobStore } from "../blob-store.js";
import { noSuchObject } from "./blob-errors.js";
import { checkBlobName, checkBlobPrefix, checkBlobRange } from "./blob-name.js";
import { S3Api, statusOf } from "./s3-api.js";
import { checkS3Options, DEFAULT_PART_BYTES, type S3BlobStoreOptions } from "./s3-options.js";
import { S3Upload } from "./s3-upload.js";

/**
 * A blob store in a bucket of S3, or of a server with the same protocol. It needs the package `@aws-sdk/client-s3`, and loads it with the
 * first call. An object of at least `partBytes` is uploaded in parts. If such an upload fails, its parts are removed. Requests are repeated
 * as the SDK is configured.
 *
 * If the process is killed during an upload in parts, the parts stay and cost money. They are not an object. Give the bucket a lifecycle
 * rule that removes incomplete multipart uploads.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT for wrong options; each call also rejects with it if the package is not installed
 */
export function s3BlobStore(options: S3BlobStoreOptions): BlobStore {
  return new S3BlobStore(checkS3Options(options));
}

class S3BlobStore implements BlobStore {
  readonly name: string;
  readonly #api: S3Api;
  readonly #prefix: string;
  readonly #partBytes: number;

  constructor({ bucket, prefix = "", partBytes = DEFAULT_PART_BYTES, ...client }: S3BlobStoreOptions) {
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
    this.#partBytes = partBytes;
    this.name = `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`;
    this.#api = new S3Api(bucket, client);
  }

  async put(
    name: string,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    options: BlobOptions = {},
  ): Promise<void> {
    const key = this.#keyOf(name);
    throwIfAborted(options.signal);
    const upload = new S3Upload(this.#api, key, this.#partBytes, options.signal);
    await upload.run(content instanceof Uint8Array ? only(content) : content);
  }

  async get(name: string, options: BlobRange = {}): Promise<Uint8Array> {
    const key = this.#keyOf(name);
    const { offset, length } = checkBlobRange(options);
    if (length === 0) {
      await this.#sizeOf(name, options.signal);
      return new Uint8Array(0);
    }
    const { bytes } = await this.#read(name, key, { offset, length, signal: options.signal });
    return bytes;
  }

  /** Each piece is a request of its own. If a connection is lost, only one piece must be read again. */
  async *stream(name: string, options: BlobRange = {}): AsyncGenerator<Uint8Array, void> {
    const key = this.#keyOf(name);
    const { signal } = options;
    const { offset, length } = checkBlobRange(options);
    let etag: string | undefined;
    let end = offset + Math.min(length, Number.MAX_SAFE_INTEGER - offset);
    for (let at = offset; at < end; ) {
      const wanted = Math.min(this.#partBytes, end - at);
      const piece = await this.#read(name, key, { offset: at, length: wanted, signal, etag });
      if (piece.bytes.length > 0) yield piece.bytes;
      etag = piece.etag;
      end = Math.min(end, piece.size);
      at += wanted;
    }
    if (length === 0) await this.#sizeOf(name, signal);
  }

  async head(name: string, options: BlobOptions = {}): Promise<BlobInfo | undefined> {
    const size = await this.#api.sizeOf(this.#keyOf(name), options.signal);
    return size === undefined ? undefined : { name, size };
  }

  async *list(prefix: string, options: BlobOptions = {}): AsyncGenerator<BlobInfo, void> {
    checkBlobPrefix(prefix);
    for await (const { key, size } of this.#api.list(this.#prefix + prefix, options.signal)) {
      const name = key.slice(this.#prefix.length);
      if (isName(name)) yield { name, size };
    }
  }

  async delete(name: string, options: BlobOptions = {}): Promise<void> {
    await this.#api.delete(this.#keyOf(name), options.signal);
  }

  async close(): Promise<void> {
    await this.#api.close();
  }

  async #read(
    name: string,
    key: string,
    range: {
      readonly offset: number;
      readonly length: number;
      readonly signal: AbortSignal | undefined;
      readonly etag?: string | undefined;
    },
  ): Promise<{ readonly bytes: Uint8Array; readonly size: number; readonly etag: string | undefined }> {
    try {
      return await this.#api.read(key, range);
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) throw noSuchObject(this.name, name, error);
      // The range begins at or after the end of the object.
      if (status === 416)
        return { bytes: new Uint8Array(0), size: await this.#sizeOf(name, range.signal), etag: range.etag };
      throw error;
    }
  }

  async #sizeOf(name: string, signal: AbortSignal | undefined): Promise<number> {
    const found = await this.head(name, { ...(signal && { signal }) });
    if (found === undefined) throw noSuchObject(this.name, name);
    return found.size;
  }

  #keyOf(name: string): string {
    return this.#prefix + checkBlobName(name);
  }
}

/** A bucket may have keys of other programs under the same prefix. They are not objects of this store. */
function isName(name: string): boolean {
  try {
    checkBlobName(name);
    return true;
  } catch {
    return false; // the reason does not matter here
  }
}

async function* only(content: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield content;
}
