import { fileURLToPath } from "node:url";
import type { BlobStore } from "@kaya/cluster";
import { describe } from "@kaya/core";
import { invalid } from "../bytes.js";

/** The description of STORE in the help. */
export const STORE_HELP = `
STORE is a directory, a file: URL, or a bucket of S3: s3://BUCKET/PREFIX. For a server that is not Amazon's add its address:
s3://BUCKET/PREFIX?endpoint=http://127.0.0.1:9000. A region is added likewise: ?region=eu-central-1. An access key comes from the environment
(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or from ~/.aws. S3 needs the package @aws-sdk/client-s3 beside kayactl.`;

const PARAMETERS = ["endpoint", "region", "path-style"];

/**
 * Opens the blob store at an address.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export async function openStore(address: string): Promise<BlobStore> {
  const { directoryBlobStore, s3BlobStore } = await import("@kaya/cluster");
  if (/^s3:/i.test(address)) return s3BlobStore(parseS3(address));
  if (/^file:/i.test(address)) return directoryBlobStore(parseFile(address));
  // A single letter before the colon is a drive of Windows.
  if (/^[a-z][a-z0-9+.-]+:/i.test(address))
    throw invalid(`STORE must be a path, file:… or s3://…, not ${describe(address)}`);
  return directoryBlobStore(address);
}

/** Parses an address of S3. @throws KayaError KAYA_INVALID_ARGUMENT */
export function parseS3(address: string): {
  readonly bucket: string;
  readonly prefix?: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly forcePathStyle?: boolean;
} {
  const [, bucket, path = "", query = ""] =
    /^s3:\/\/([^/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(address) ?? [];
  if (bucket === undefined || bucket.includes("@"))
    throw invalid(
      "an address of S3 is s3://BUCKET/PREFIX, without access keys: they come from the environment",
    );
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys())
    if (!PARAMETERS.includes(name))
      throw invalid(
        `an address of S3 has no parameter ${describe(name)}: it may have ${PARAMETERS.join(", ")}`,
      );
  const prefix = path.replace(/\/+$/, "");
  const [endpoint, region] = [parameters.get("endpoint"), parameters.get("region")];
  const pathStyle = parameters.get("path-style") ?? (endpoint === null ? "false" : "true");
  if (pathStyle !== "true" && pathStyle !== "false") throw invalid("path-style must be true or false");
  return {
    bucket,
    ...(prefix !== "" && { prefix }),
    ...(endpoint !== null && { endpoint }),
    ...(region === null ? endpoint !== null && { region: "us-east-1" } : { region }),
    forcePathStyle: pathStyle === "true",
  };
}

function parseFile(address: string): string {
  try {
    return fileURLToPath(address);
  } catch (error) {
    throw invalid(`${describe(address)} is not a file: URL of this machine: ${(error as Error).message}`);
  }
}
