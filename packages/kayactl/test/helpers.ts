import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { SharedLog } from "@kaya/cluster";
import { Engine } from "@kaya/engine";
import { onTestFinished } from "vitest";
import { type Io, run } from "../src/index.js";

export const BIN = fileURLToPath(new URL("../dist/bin.js", import.meta.url));

/** FORMAT-FACTS.md, "A vector": PUT user:1 Ada, DELETE user:2, NOOP at 0, 57 and 107. */
export const VECTOR = Buffer.from(
  "4159414b01002800000001000100000000000000010000000000000011000000afa1a3098e141b850600000003000000757365723a31416461" +
    "4159414b0100280000000200020000000000000002000000000000000a0000004316835a4177ee4606000000757365723a32" +
    "4159414b010028000000030003000000000000000300000000000000000000008274218a00000000",
  "hex",
);

export const SEGMENT = "0000000000000001.wal";

// What runs the tests may ask for colours.
for (const name of ["FORCE_COLOR", "NO_COLOR"]) delete process.env[name];

/** A new directory, gone after the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "kayactl-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A new directory for all tests of a file. They remove it themselves. */
export function longLivedDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), "kayactl-"));
}

/** A path where nothing is. */
export async function absentDirectory(): Promise<string> {
  return join(await temporaryDirectory(), "data");
}

/** A data directory with these bytes as its segments. */
export async function dataDirectory(...segments: readonly Uint8Array[]): Promise<string> {
  const data = await absentDirectory();
  await mkdir(join(data, "wal"), { recursive: true });
  for (const [index, bytes] of segments.entries()) {
    await writeFile(join(data, "wal", `${String(index + 1).padStart(16, "0")}.wal`), bytes);
  }
  return data;
}

/** A data directory with `count` entries `key-00000`: `value-0`, all of them in the log. */
export async function filledDirectory(count: number, segmentMaxBytes = 1 << 26): Promise<string> {
  const data = await absentDirectory();
  const engine = await Engine.open({
    tables: { autoFlush: false },
    dataDir: data,
    durability: "relaxed",
    wal: { segmentMaxBytes },
  });
  const entries = Array.from({ length: count }, (_, index) => index);
  await Promise.all(
    entries.map((index) => engine.put(`key-${String(index).padStart(5, "0")}`, `value-${index}`)),
  );
  await engine.close();
  return data;
}

/** With one bit of one byte turned. */
export function flipped(bytes: Uint8Array, offset: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[offset] = (copy[offset] ?? 0) ^ 1;
  return copy;
}

export async function flipInFile(path: string, offset: number): Promise<void> {
  await writeFile(path, flipped(await readFile(path), offset));
}

/** Keeps what is written; a terminal where `columns` is given. */
export class Sink extends Writable {
  readonly isTTY: boolean;
  readonly columns: number;
  readonly #chunks: Buffer[] = [];

  constructor(columns = 0) {
    super();
    this.isTTY = columns > 0;
    this.columns = columns;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#chunks.push(Buffer.from(chunk));
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  readonly signal?: AbortSignal;
  /** Both streams are a terminal so wide. */
  readonly columns?: number;
  /** What `cluster` commands work with. */
  readonly openLog?: () => SharedLog;
}

/** One command line, in this process. */
export async function kayactl(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const stdout = new Sink(options.columns);
  const stderr = new Sink(options.columns);
  const io: Io = {
    stdout,
    stderr,
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    ...(options.signal !== undefined && { signal: options.signal }),
    ...(options.openLog !== undefined && { openLog: options.openLog }),
  };
  const code = await run(argv, io);
  return { code, stdout: stdout.bytes.toString(), stderr: stderr.bytes.toString() };
}

/** A child process: the built program, or a shell with it. */
export function child(
  command: string,
  argv: readonly string[],
  options: {
    uid?: number;
    cwd?: string;
    env?: Record<string, string>;
    afterStart?: (started: ChildProcessWithoutNullStreams) => void;
  } = {},
): Promise<Outcome> {
  const process_ = spawn(command, argv, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
  });
  let stdout = "";
  let stderr = "";
  process_.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  process_.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  options.afterStart?.(process_);
  return new Promise((resolve, reject) => {
    process_.on("error", reject);
    process_.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

export function bin(...argv: readonly string[]): Promise<Outcome> {
  return child(process.execPath, [BIN, ...argv]);
}

/** Every file and directory under a path: owner, mode, times, sizes, bytes. */
export async function snapshot(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of ["", ...(await readdir(directory, { recursive: true }))].sort()) {
    const path = join(directory, name);
    const info = await lstat(path, { bigint: true });
    const bytes = info.isFile()
      ? createHash("sha256")
          .update(await readFile(path))
          .digest("hex")
      : "";
    found[name] =
      `${info.uid}:${info.gid} ${info.mode} ${info.size} ${info.mtimeNs} ${info.ctimeNs} ${bytes}`;
  }
  return found;
}
