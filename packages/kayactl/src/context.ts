import type { Command } from "commander";
import type { GlobalOptions } from "./options.js";
import type { Output, OutputStream } from "./output.js";

export const ExitCode = {
  Ok: 0,
  Failed: 1,
  NotFound: 2,
  Damaged: 3,
  Usage: 4,
  Interrupted: 130,
} as const;

/** The streams that a run works with. */
export interface Io {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Where `put KEY -` reads. Default: the process's own. */
  readonly stdin?: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Ends the run with exit code 130. */
  readonly signal?: AbortSignal;
}

/** What a command needs besides its arguments. */
export interface Context {
  readonly io: Io;
  readonly out: Output;
  readonly err: Output;
  readonly options: GlobalOptions;
}

/** Carries out a command and keeps its exit code. */
export type Execute = (
  options: GlobalOptions,
  action: (context: Context) => Promise<number>,
) => Promise<void>;

/** Adds a command to the program. */
export type Register = (program: Command, execute: Execute) => void;
