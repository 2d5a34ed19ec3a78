import { KayaError, type KayaErrorCode } from "@kaya/core";
import type { DirectoryIdentity } from "@kaya/io";
import type { TableMeta } from "../manifest/manifest-state.js";
import type { MergeJob } from "./job.js";

/** The directories that a worker works in, whatever their paths name meanwhile. */
export interface WorkerPlace {
  readonly root: string;
  readonly directories: readonly DirectoryIdentity[];
}

/** The input of a worker. */
export interface WorkerInput extends WorkerPlace {
  readonly job: MergeJob;
  /** One Int32: above 0 the merge rests for as long as it works. */
  readonly rests: SharedArrayBuffer;
}

export type WorkerMessage =
  | { readonly kind: "progress"; readonly bytes: number }
  | { readonly kind: "done"; readonly outputs: readonly TableMeta[] }
  | { readonly kind: "failed"; readonly code: KayaErrorCode; readonly message: string };

/** An error as it was in the worker. */
export function errorOf({ code, message }: { code: KayaErrorCode; message: string }): KayaError {
  return new KayaError(code, message);
}
