import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

// The shell is etcd's parent. Its input is a pipe from this process. When this process ends for any reason, the pipe closes. Then the shell
// ends etcd and removes the directory.
const GUARD = `
root=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
etcd=$!
echo $etcd
{ read -r _ <&3; trap '' TERM; kill -9 $etcd; sleep 1; rm -rf "$root"; } 2>/dev/null &
guard=$!
wait $etcd
code=$?
kill $guard 2>/dev/null
exit $code
`;
const KEPT_OUTPUT = 8192;

/** Finds a program on the PATH; undefined if it is not there. */
export function findProgram(name: string): string | undefined {
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The program is not in this directory.
    }
  }
  return undefined;
}

/** A running etcd, which does not outlive this process. */
export class EtcdProcess {
  /** The process id of etcd itself. */
  readonly pid: number;
  readonly #shell: ChildProcess;
  readonly #exited: Promise<unknown>;
  #output = "";
  #hasExited = false;

  private constructor(shell: ChildProcess, pid: number) {
    this.pid = pid;
    this.#shell = shell;
    this.#exited = once(shell, "exit").then(() => {
      this.#hasExited = true;
      shell.stdin?.destroy();
    });
    shell.stderr?.on("data", (data: Buffer) => {
      this.#output = (this.#output + data.toString()).slice(-KEPT_OUTPUT);
    });
  }

  /** @param root the directory that is removed if this process ends without ending etcd */
  static async start(etcd: string, root: string, args: readonly string[]): Promise<EtcdProcess> {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ETCD_")));
    const shell = spawn("/bin/sh", ["-c", GUARD, "etcd-guard", root, etcd, ...args], {
      env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    // The pipe breaks when etcd ends. That is not an error.
    shell.stdin.on("error", () => {});
    const lines = createInterface({ input: shell.stdout });
    const ended = once(shell, "exit").then(() => {
      throw new Error("the shell that starts etcd ended");
    });
    const [line] = (await Promise.race([once(lines, "line"), ended])) as [string];
    ended.catch(() => {}); // the race below, or the end of etcd, reports it
    return new EtcdProcess(shell, Number(line));
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** The last part of its output. */
  get output(): string {
    return this.#output;
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    if (!this.#hasExited) process.kill(this.pid, name);
  }

  /** Sends SIGKILL. Resolves when etcd has ended. */
  async kill(): Promise<void> {
    // The shell has not waited for etcd yet, so no other process can have its pid.
    if (!this.#hasExited && this.#shell.exitCode === null) {
      try {
        process.kill(this.pid, "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
    await this.#exited;
  }
}
