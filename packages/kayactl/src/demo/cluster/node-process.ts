import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { NodeEvent, NodeOrder } from "./protocol.js";

const NODE = fileURLToPath(new URL("./node.js", import.meta.url));

/** The longest time that a node may take to close. */
const CLOSE_MS = 15_000;

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** A node in a process of its own, which can be killed, paused and started again. */
export class NodeProcess {
  readonly #order: NodeOrder;
  readonly #onEvent: (event: NodeEvent, node: NodeProcess) => void;
  #child: Child | undefined;
  #address = "";
  role = "";

  constructor(order: NodeOrder, onEvent: (event: NodeEvent, node: NodeProcess) => void) {
    this.#order = order;
    this.#onEvent = onEvent;
  }

  get id(): string {
    return this.#order.id;
  }

  get address(): string {
    return this.#address;
  }

  /** Resolves when the node is open. */
  async start(): Promise<void> {
    const port = Number(new URL(this.#address || "http://node:0").port);
    const order = JSON.stringify({ ...this.#order, port });
    const child = spawn(process.execPath, [NODE, order], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      child.once("exit", (code, signal) => reject(new Error(`${this.id} ended: ${signal ?? code}`)));
      createInterface({ input: child.stdout }).on("line", (line) => {
        this.#hear(JSON.parse(line) as NodeEvent);
        resolve();
      });
    });
  }

  #hear(event: NodeEvent): void {
    if (event.type === "open") this.#address = event.address;
    else this.role = event.role;
    this.#onEvent(event, this);
  }

  async kill(): Promise<void> {
    const child = this.#running();
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    this.role = "killed";
  }

  pause(): void {
    this.#running().kill("SIGSTOP");
  }

  resume(): void {
    this.#running().kill("SIGCONT");
  }

  /** Closes its node, and ends the process. */
  async end(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGCONT"); // the demo may have failed while the process was paused
    child.stdin.end();
    const isLate = setTimeout(() => child.kill("SIGKILL"), CLOSE_MS);
    await ended;
    clearTimeout(isLate);
  }

  /** Ends the process in any state. */
  destroy(): void {
    this.#child?.kill("SIGKILL");
  }

  #running(): Child {
    if (this.#child === undefined) throw new Error(`${this.id} was not started`);
    return this.#child;
  }
}
