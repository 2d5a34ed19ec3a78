import { etcdLog } from "../../dist/index.js";
import { LogModel } from "../../dist/testing/simulation/log-model.js";

/** Follows the shared log from its first record, without a proxy. So it has the complete history, which clients and nodes are compared with. */
export class Observer {
  /** @type {import("../../dist/index.js").LogEntry[]} */
  #entries = [];
  #end = new AbortController();
  #log;
  /** @type {Promise<void>} */
  #following;
  /** @type {unknown} */
  failure;

  /**
   * @param {string[]} endpoints
   * @param {string} prefix
   */
  constructor(endpoints, prefix) {
    this.#log = etcdLog({ endpoints, prefix });
    this.model = new LogModel(() => this.#entries);
    this.#following = this.#follow();
  }

  get lsn() {
    return this.#entries.at(-1)?.lastLsn ?? 0;
  }

  /** @returns {Promise<import("../../dist/index.js").LogHead | undefined>} */
  head() {
    return this.#log.head();
  }

  /** The LSN of the base that the log names; 0: there is none. */
  async base() {
    return (await this.#log.base())?.lsn ?? 0;
  }

  async close() {
    this.#end.abort();
    await this.#following;
    await this.#log.close();
  }

  async #follow() {
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        for await (const { entries } of this.#log.follow(this.lsn, { signal }))
          for (const entry of entries) if (entry.lastLsn > this.lsn) this.#entries.push(entry);
      } catch (error) {
        const code = /** @type {{ code?: string }} */ (error).code ?? "";
        if (signal.aborted) return;
        if (code === "KAYA_CORRUPTION" || code === "KAYA_LOG_TRUNCATED") {
          this.failure = error;
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 100)); // the log is not claimed yet, or etcd does not answer
      }
    }
  }
}
