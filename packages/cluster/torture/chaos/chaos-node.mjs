import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("node-process.mjs", import.meta.url));
const PATIENCE_MS = 120_000;

/** The process of a node. It can be killed and started again. */
export class ChaosNode {
  #settings;
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #child;
  #life = 0;
  isStopped = false;
  /** Its output on stderr. */
  errors = "";

  /**
   * @param {Omit<import("./node-process.mjs").Settings, "life">} settings
   * @param {readonly import("../../dist/testing/etcd/tcp-proxy.js").TcpProxy[]} proxies proxies to the members of etcd that only this node
   *   uses
   */
  constructor(settings, proxies) {
    this.#settings = settings;
    this.proxies = proxies;
  }

  get id() {
    return this.#settings.id;
  }

  get history() {
    return this.#settings.history;
  }

  get isRunning() {
    return this.#child !== undefined;
  }

  /** Starts the process. `opened` waits until the node is open. */
  start() {
    if (this.#child !== undefined) return;
    const settings = { ...this.#settings, life: ++this.#life };
    const child = fork(SCRIPT, [JSON.stringify(settings)], { stdio: ["ignore", "inherit", "pipe", "ipc"] });
    this.#child = child;
    this.isStopped = false;
    child.stderr?.setEncoding("utf8").on("data", (text) => {
      this.errors += text;
    });
    child.on("exit", () => {
      if (this.#child === child) this.#child = undefined;
    });
  }

  /** Sends SIGKILL. */
  async kill() {
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  stop() {
    this.isStopped = this.#child !== undefined;
    this.#child?.kill("SIGSTOP");
  }

  goOn() {
    this.isStopped = false;
    this.#child?.kill("SIGCONT");
  }

  /**
   * @param {string} ask
   * @param {number} [ms]
   * @returns {Promise<any>} undefined: there was no answer in time, or the process is down
   */
  ask(ask, ms = PATIENCE_MS) {
    const child = this.#child;
    if (child === undefined || !child.connected) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const done = (/** @type {any} */ answer) => {
        clearTimeout(timer);
        child.off("message", onMessage);
        child.off("exit", onExit);
        resolve(answer);
      };
      const onMessage = (/** @type {any} */ message) => {
        if (message.ask === ask) done(message.answer);
      };
      const onExit = () => done(undefined);
      const timer = setTimeout(() => done(undefined), ms);
      child.on("message", onMessage);
      child.on("exit", onExit);
      child.send({ ask }, () => undefined); // the process may have died just now
    });
  }
}
