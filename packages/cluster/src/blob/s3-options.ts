import { describe, KayaError, readOptions } from "@kaya/core";
import { checkBlobName } from "./blob-name.js";

/** The methods of an `S3Client` of `@aws-sdk/client-s3` that a blob store calls. */
export interface S3ClientLike {
  /** Sends a command. */
  send(command: never, options?: never): Promise<unknown>;
  /** Closes its connections. */
  destroy?(): void;
}

/** Where a bucket is, and how it is reached. */
export interface S3BlobStoreOptions {
  /** The name of the bucket. It must exist. */
  readonly bucket: string;
  /** Begins the key of each object: `backups/orders`. Default: none. */
  readonly prefix?: string;
  /** An `S3Client` of `@aws-sdk/client-s3` that is used as it is. It is not closed. Give it, or the next four. */
  readonly client?: S3ClientLike;
  /** The region of the bucket. Default: the SDK takes it from the environment. */
  readonly region?: string;
  /** The address of a server that is not Amazon's. */
  readonly endpoint?: string;
  /** True: the bucket is a part of the path, not of the host's name. Most servers with an `endpoint` need it. Default false. */
  readonly forcePathStyle?: boolean;
  /** The access key. Default: the SDK looks in the environment, in files, and at the machine's role. */
  readonly credentials?: {
    /** The id of the access key. */
    readonly accessKeyId: string;
    /** The secret of that key. */
    readonly secretAccessKey: string;
    /** The session token, for temporary credentials. */
    readonly sessionToken?: string;
  };
  /** Bytes of one part of a multipart upload, and of one read of `stream`: 5 MiB to 1 GiB. Default 8 MiB. */
  readonly partBytes?: number;
}

const OPTIONS = [
  "bucket",
  "prefix",
  "client",
  "region",
  "endpoint",
  "forcePathStyle",
  "credentials",
  "partBytes",
] as const;

const MIB = 1024 * 1024;
export const DEFAULT_PART_BYTES = 8 * MIB;
const LEAST_PART_BYTES = 5 * MIB;
const MOST_PART_BYTES = 1024 * MIB;

/** The options, read once. @throws KayaError KAYA_INVALID_ARGUMENT */
export function checkS3Options(given: S3BlobStoreOptions): S3BlobStoreOptions {
  const options = readOptions(given, OPTIONS, "the options of s3BlobStore") as S3BlobStoreOptions;
  const { bucket, prefix, client, partBytes, region, endpoint, credentials, forcePathStyle } = options;
  if (typeof bucket !== "string" || !/^[A-Za-z0-9._-]{1,255}$/.test(bucket))
    throw invalid(`bucket must be the name of a bucket, not ${describe(bucket)}`);
  if (prefix !== undefined && prefix !== "") checkBlobName(prefix);
  if (client !== undefined) {
    if (typeof client !== "object" || client === null || typeof client.send !== "function")
      throw invalid(`client must be an S3Client of @aws-sdk/client-s3, not ${describe(client)}`);
    if ([region, endpoint, forcePathStyle, credentials].some((each) => each !== undefined))
      throw invalid("give client, or region, endpoint, forcePathStyle and credentials, not both");
  }
  for (const [what, value] of Object.entries({ region, endpoint })) {
    if (value !== undefined && (typeof value !== "string" || value === ""))
      throw invalid(`${what} must be a text, not ${describe(value)}`);
  }
  if (forcePathStyle !== undefined && typeof forcePathStyle !== "boolean")
    throw invalid(`forcePathStyle must be true or false, not ${describe(forcePathStyle)}`);
  checkPartBytes(partBytes);
  return options;
}

function checkPartBytes(partBytes: number | undefined): void {
  if (partBytes === undefined) return;
  const isWithin =
    Number.isSafeInteger(partBytes) && partBytes >= LEAST_PART_BYTES && partBytes <= MOST_PART_BYTES;
  if (isWithin) return;
  throw invalid(
    `partBytes must be a whole number from ${LEAST_PART_BYTES} to ${MOST_PART_BYTES}, not ${describe(partBytes)}`,
  );
}

function invalid(message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", message);
}
