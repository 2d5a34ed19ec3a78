import { describe, KayaError, throwIfAborted } from "@kaya/core";
import type { S3BlobStoreOptions } from "./s3-options.js";

type Sdk = typeof import("@aws-sdk/client-s3");
type Client = InstanceType<Sdk["S3Client"]>;

/** How the bucket is reached. */
type ClientOptions = Omit<S3BlobStoreOptions, "bucket" | "prefix" | "partBytes">;

/** The number of attempts to read a body that breaks off. The SDK only repeats requests that got no answer. */
const BODY_ATTEMPTS = 4;

/** A part of an upload that is on the server. */
export interface UploadedPart {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
  /** The checksums of the part that the SDK computed. Its configuration decides which ones. */
  readonly ChecksumCRC32?: string | undefined;
}

/** The calls of S3 that a blob store needs, for one bucket. Their errors name the bucket and the key. */
export class S3Api {
  readonly #bucket: string;
  readonly #options: ClientOptions;
  #loading: Promise<{ readonly sdk: Sdk; readonly client: Client }> | undefined;

  constructor(bucket: string, options: ClientOptions) {
    this.#bucket = bucket;
    this.#options = options;
  }

  async put(key: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    await this.#call(key, "cannot store", signal, ({ sdk, client, options }) =>
      client.send(
        new sdk.PutObjectCommand({
          Bucket: this.#bucket,
          Key: key,
          Body: bytes,
          ContentLength: bytes.length,
        }),
        options,
      ),
    );
  }

  /** @returns the id of the upload */
  async beginUpload(key: string, signal: AbortSignal | undefined): Promise<string> {
    return this.#call(key, "cannot begin to store", signal, async ({ sdk, client, options }) => {
      const command = new sdk.CreateMultipartUploadCommand({ Bucket: this.#bucket, Key: key });
      const { UploadId } = await client.send(command, options);
      if (UploadId === undefined) throw new Error("the answer has no id of the upload");
      return UploadId;
    });
  }

  async uploadPart(
    key: string,
    uploadId: string,
    number: number,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<UploadedPart> {
    return this.#call(key, `cannot store part ${number} of`, signal, async ({ sdk, client, options }) => {
      const command = new sdk.UploadPartCommand({
        Bucket: this.#bucket,
        Key: key,
        UploadId: uploadId,
        PartNumber: number,
        Body: bytes,
        ContentLength: bytes.length,
      });
      const { ETag, ChecksumCRC32 } = await client.send(command, options);
      return { PartNumber: number, ETag, ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }) };
    });
  }

  async endUpload(
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await this.#call(key, "cannot put together", signal, ({ sdk, client, options }) =>
      client.send(
        new sdk.CompleteMultipartUploadCommand({
          Bucket: this.#bucket,
          Key: key,
          UploadId: uploadId,
          MultipartUpload: { Parts: [...parts] },
        }),
        options,
      ),
    );
  }

  async abortUpload(key: string, uploadId: string): Promise<void> {
    await this.#call(key, "cannot remove the parts of", undefined, ({ sdk, client }) =>
      client.send(
        new sdk.AbortMultipartUploadCommand({ Bucket: this.#bucket, Key: key, UploadId: uploadId }),
      ),
    );
  }

  /**
   * Reads bytes of an object into memory.
   * @returns the bytes (fewer than requested only at the end of the object), the object's size, and the ETag of its content
   */
  async read(
    key: string,
    range: {
      readonly offset: number;
      readonly length: number;
      readonly signal: AbortSignal | undefined;
      readonly etag?: string | undefined;
    },
  ): Promise<{ readonly bytes: Uint8Array; readonly size: number; readonly etag: string | undefined }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#read(key, range);
      } catch (error) {
        const isLast = attempt === BODY_ATTEMPTS || range.signal?.aborted === true;
        if (isLast || !KayaError.is(error, "KAYA_IO") || statusOf(error) !== undefined) throw error;
      }
    }
  }

  /** The size of an object; undefined if it does not exist. */
  async sizeOf(key: string, signal: AbortSignal | undefined): Promise<number | undefined> {
    try {
      return await this.#call(key, "cannot look at", signal, async ({ sdk, client, options }) => {
        const command = new sdk.HeadObjectCommand({ Bucket: this.#bucket, Key: key });
        const { ContentLength } = await client.send(command, options);
        return ContentLength ?? 0;
      });
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  /** The objects whose keys begin with `prefix`, in the order of their keys. */
  async *list(
    prefix: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<{ readonly key: string; readonly size: number }, void> {
    let token: string | undefined;
    do {
      const page = await this.#call(`${prefix}*`, "cannot list", signal, ({ sdk, client, options }) =>
        client.send(
          new sdk.ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: prefix,
            ...(token !== undefined && { ContinuationToken: token }),
          }),
          options,
        ),
      );
      for (const { Key, Size } of page.Contents ?? []) {
        if (Key !== undefined) yield { key: Key, size: Size ?? 0 };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async delete(key: string, signal: AbortSignal | undefined): Promise<void> {
    await this.#call(key, "cannot remove", signal, ({ sdk, client, options }) =>
      client.send(new sdk.DeleteObjectCommand({ Bucket: this.#bucket, Key: key }), options),
    );
  }

  /** Closes the client if this class made it. */
  async close(): Promise<void> {
    if (this.#options.client !== undefined || this.#loading === undefined) return;
    const loading = this.#loading;
    this.#loading = undefined;
    const loaded = await loading.catch(() => undefined); // the call that needed it got the error
    loaded?.client.destroy();
  }

  async #read(key: string, { offset, length, signal, etag }: Parameters<S3Api["read"]>[1]) {
    return this.#call(key, "cannot read", signal, async ({ sdk, client, options }) => {
      const last = Math.min(offset + length, Number.MAX_SAFE_INTEGER) - 1;
      const isWhole = offset === 0 && last === Number.MAX_SAFE_INTEGER - 1;
      const command = new sdk.GetObjectCommand({
        Bucket: this.#bucket,
        Key: key,
        ...(!isWhole && { Range: `bytes=${offset}-${last}` }),
        ...(etag !== undefined && { IfMatch: etag }),
      });
      const answer = await client.send(command, options);
      const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array(0);
      if (answer.ContentLength !== undefined && answer.ContentLength !== bytes.length)
        throw new Error(`the answer broke off after ${bytes.length} of ${answer.ContentLength} bytes`);
      const total = /\/([0-9]+)$/.exec(answer.ContentRange ?? "")?.[1];
      return { bytes, size: total === undefined ? bytes.length : Number(total), etag: answer.ETag };
    });
  }

  async #call<T>(
    key: string,
    doing: string,
    signal: AbortSignal | undefined,
    call: (loaded: {
      readonly sdk: Sdk;
      readonly client: Client;
      readonly options: { readonly abortSignal?: AbortSignal };
    }) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal);
    const loaded = await this.#load();
    try {
      return await call({ ...loaded, options: signal === undefined ? {} : { abortSignal: signal } });
    } catch (cause) {
      throwIfAborted(signal);
      if (KayaError.is(cause)) throw cause;
      throw new KayaError("KAYA_IO", `${doing} s3://${this.#bucket}/${key}: ${reasonOf(cause)}`, { cause });
    }
  }

  #load(): Promise<{ readonly sdk: Sdk; readonly client: Client }> {
    this.#loading ??= this.#begin();
    return this.#loading;
  }

  async #begin(): Promise<{ readonly sdk: Sdk; readonly client: Client }> {
    const sdk = await loadSdk();
    const { client, ...options } = this.#options;
    if (client !== undefined) return { sdk, client: client as unknown as Client };
    return { sdk, client: new sdk.S3Client(options) };
  }
}

/** The HTTP status of an answer that is an error; undefined if there was no answer. */
export function statusOf(error: unknown): number | undefined {
  const cause = (KayaError.is(error) ? error.cause : error) as
    | { readonly $metadata?: { readonly httpStatusCode?: number }; readonly name?: string }
    | undefined;
  const status = cause?.$metadata?.httpStatusCode;
  // A missing bucket has the same status as a missing object. It must stay an error.
  if (status === 404 && cause?.name === "NoSuchBucket") return 400;
  // An answer that breaks off has the status of its beginning, which is a success.
  return status === undefined || status < 300 ? undefined : status;
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return describe(cause);
  const status = statusOf(cause);
  const code = (cause as NodeJS.ErrnoException).code;
  const parts = [cause.name === "Error" ? code : cause.name, cause.message].filter(Boolean);
  return `${parts.join(": ")}${status === undefined ? "" : ` (status ${status})`}`;
}

async function loadSdk(): Promise<Sdk> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      "an S3 store needs the package @aws-sdk/client-s3, which cannot be loaded: npm install @aws-sdk/client-s3",
      { cause },
    );
  }
}
