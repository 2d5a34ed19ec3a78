import type { SharedLog } from "@kaya/cluster";
import type { Engine } from "@kaya/engine";
import type { Command } from "commander";
import type { GlobalOptions } from "./options.js";
import type { Output, OutputStream } from "./terminal/output.js";

/** The exit codes of `kayactl`. */
export const ExitCode = {
  /** The command did what it was asked for. */
  Ok: 0,
  /** The command failed, for a reason that has no code of its own. */
  Failed: 1,
  /** The key, the file or the directory is absent. */
  NotFound: 2,
  /** Data is damaged or missing. */
  Damaged: 3,
  /** The command line is wrong, or the directory cannot be used in this way. */
  Usage: 4,
  /** The command was interrupted by SIGINT. */
  Interrupted: 130,
} as const;

/** The streams that a run works with. */
export interface Io {
  /** The stream for results. */
  readonly stdout: OutputStream;
  /** The stream for messages, progress and errors. */
  readonly stderr: OutputStream;
  /** The stream that `put KEY -` reads. Default: that of the process. */
  readonly stdin?: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Ends the run with exit code 130 when it aborts. */
  readonly signal?: AbortSignal;
  /** Opens the shared log that a `cluster` command works with, and closes. Default: the etcd that its options name. */
  readonly openLog?: () => SharedLog;
}

/** The data directory that a shell has opened for all of its commands. */
export interface OpenedDirectory {
  readonly isReadOnly: boolean;
  /** A command without a limit of its own shows so many lines. Undefined: all. */
  readonly mostLines: number | undefined;
  isOf(dataDir: string): boolean;
  /**
   * Opens it first where that has not been done yet.
   * @throws KayaError KAYA_READ_ONLY where the command writes and the shell does not; as `Engine.open`
   */
  engineFor(context: Context, needs: EngineNeeds): Promise<Engine>;
}

/** What a command does with an engine. */
export interface EngineNeeds {
  /** Make the data directory where it is absent. Default false. */
  readonly create?: boolean;
  /** Look only: no lock, and nothing is changed. Default false. */
  readonly readOnly?: boolean;
  /** Flush and compact by itself, as a program does. Default false: a command that ends soon leaves that to others. */
  readonly runsOn?: boolean;
}

/** What a command needs besides its arguments. */
export interface Context {
  readonly io: Io;
  readonly out: Output;
  readonly err: Output;
  readonly options: GlobalOptions;
  /** Where the command runs in a shell. */
  readonly session?: OpenedDirectory;
  /** Runs another command line in this process. */
  readonly run: Run;
}

/** A shell around a command line. */
export interface Surroundings {
  readonly session: OpenedDirectory;
  /** Options that the command line need not repeat. */
  readonly defaults: GlobalOptions;
  /** Adds commands that only a shell has. */
  extend(program: Command): void;
}

/** Does what a command line says, and gives its exit code. */
export type Run = (argv: readonly string[], io: Io, surroundings?: Surroundings) => Promise<number>;

/** Carries out a command and keeps its exit code. */
export type Execute = (
  options: GlobalOptions,
  action: (context: Context) => Promise<number>,
) => Promise<void>;

/** Adds a command to the program. */
export type Register = (program: Command, execute: Execute) => void;
