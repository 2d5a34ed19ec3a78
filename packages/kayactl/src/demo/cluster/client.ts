import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const IN_FLIGHT = 32;
/** After this time without an answer the client asks another node: the node may be paused. */
const ANSWER_MS = 400;
const PAUSE_MS = 25;

interface Answer {
  readonly status: number;
  readonly code?: string;
  readonly leader?: string;
}

/**
 * A client that writes without pause. It sends each write to the node that it believes to be the writer. Without an answer it sends the
 * same key and value to the next node. So a write that is done twice has the effect of one.
 */
export class Client {
  readonly acknowledged: number[] = [];
  /** The number of answers that refused a write, by error code. */
  readonly refusals = new Map<string, number>();
  readonly inFlight = IN_FLIGHT;
  readonly #countBy = new Map<string, number>();
  readonly #addresses: readonly string[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 * IN_FLIGHT });
  readonly #workers: readonly Promise<void>[];
  #target: string;
  #next = 0;
  #isOver = false;
  #isGivenUp = false;
  #lastAt = performance.now();
  #longestMs = 0;
  #lastFrom = "";
  /** The node that gave no answer. Other nodes may still name it as the leader, because they do not know yet. */
  #silent = "";

  constructor(addresses: readonly string[]) {
    this.#addresses = addresses;
    this.#target = addresses[0] ?? "";
    this.#workers = Array.from({ length: IN_FLIGHT }, () => this.#write());
  }

  /** The node that acknowledged last. */
  get lastFrom(): string {
    return this.#lastFrom;
  }

  /** How many writes a node acknowledged. */
  acknowledgedBy(address: string): number {
    return this.#countBy.get(address) ?? 0;
  }

  /** The longest time without an acknowledgement since the last call, in ms. */
  takeLongestPause(): number {
    const longest = Math.max(this.#longestMs, performance.now() - this.#lastAt);
    this.#longestMs = 0;
    this.#lastAt = performance.now();
    return longest;
  }

  /** Resolves when all pending writes are acknowledged. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#workers);
    this.#agent.destroy();
  }

  /** Ends the client without waiting for pending writes. */
  giveUp(): void {
    this.#isOver = true;
    this.#isGivenUp = true;
    this.#agent.destroy();
  }

  async #write(): Promise<void> {
    while (!this.#isOver) {
      const n = this.#next++;
      while (!(await this.#try(n)) && !this.#isGivenUp) await sleep(PAUSE_MS);
    }
  }

  async #try(n: number): Promise<boolean> {
    const target = this.#target;
    const { status, code = "no answer", leader } = await this.#post(target, n);
    if (status === 200) {
      this.#note(target);
      this.acknowledged.push(n);
      return true;
    }
    if (status === 0) this.#silent = target;
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
    // Another pending write may have found the writer already.
    if (this.#target === target) {
      const isHint = leader !== undefined && leader !== target && leader !== this.#silent;
      this.#target = isHint ? leader : this.#after(target);
    }
    return false;
  }

  #note(target: string): void {
    const now = performance.now();
    this.#longestMs = Math.max(this.#longestMs, now - this.#lastAt);
    this.#lastAt = now;
    this.#lastFrom = target;
    if (target === this.#silent) this.#silent = "";
    this.#countBy.set(target, this.acknowledgedBy(target) + 1);
  }

  #after(target: string): string {
    const { length } = this.#addresses;
    return this.#addresses[(this.#addresses.indexOf(target) + 1) % length] as string;
  }

  #post(target: string, n: number): Promise<Answer> {
    return new Promise((resolve) => {
      const url = `${target}/put?key=order:${n}&value=${paymentOf(n)}`;
      const sent = request(url, { method: "POST", agent: this.#agent, timeout: ANSWER_MS }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, ...JSON.parse(body || "{}") }));
        response.on("error", () => resolve({ status: 0 }));
      });
      sent.on("timeout", () => sent.destroy());
      sent.on("error", () => resolve({ status: 0 }));
      sent.end();
    });
  }
}

export function paymentOf(n: number): string {
  return `paid-${n * 7}`;
}
