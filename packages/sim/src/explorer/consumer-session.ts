import type { Lsn } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import { isGranted } from "./answers.js";
import type { HistoryNotes, HistoryView } from "./history.js";

/** The least place of a consumer from now on; undefined if it must be gone. */
export interface ConsumerFact {
  readonly consumer: string;
  readonly lsn: Lsn | undefined;
}

/** Registers consumers, acknowledges for them and removes them, and notes the answers in a history. */
export class ConsumerSession {
  readonly #history: HistoryNotes<ConsumerFact>;

  constructor(history: HistoryNotes<ConsumerFact>) {
    this.#history = history;
  }

  add(engine: Engine, consumer: string): Promise<void> {
    return this.#note({ consumer, lsn: 0 }, () => engine.addConsumer(consumer));
  }

  remove(engine: Engine, consumer: string): Promise<void> {
    return this.#note({ consumer, lsn: undefined }, () => engine.removeConsumer(consumer));
  }

  /** Reads the next change, and acknowledges it. Nothing happens where there is none. */
  async acknowledgeNext(engine: Engine, consumer: string): Promise<void> {
    const known = engine.consumers().find(({ name }) => name === consumer);
    if (known === undefined || known.isTruncated || engine.stats().durableLsn <= known.lsn) return;
    const feed = engine.changes({ consumer });
    const acknowledge = async () => {
      const { value } = await feed.next();
      if (value === undefined) return;
      await this.#note({ consumer, lsn: value.lsn }, () => feed.acknowledge(value.token));
    };
    await isGranted(acknowledge());
    await isGranted(feed.return());
  }

  async #note(fact: ConsumerFact, ask: () => Promise<unknown>): Promise<void> {
    this.#history.attempt(fact);
    if (await isGranted(ask())) this.#history.acknowledge(fact);
  }
}

/**
 * Each consumer is where its last answer put it, or where a later unanswered request would; and the log has all that it has not acknowledged.
 */
export function checkConsumers(engine: Engine, { attempted, acknowledged }: HistoryView<ConsumerFact>): void {
  const names = new Set(attempted.map(({ consumer }) => consumer));
  const found = new Map(engine.consumers().map((consumer) => [consumer.name, consumer]));
  for (const name of names) {
    const facts = attempted.filter(({ consumer }) => consumer === name);
    const last = facts.findLastIndex((fact) => acknowledged.has(fact));
    const possible = last < 0 ? [{ lsn: undefined }, ...facts] : facts.slice(last);
    const consumer = found.get(name);
    const fits = possible.some(({ lsn }) =>
      lsn === undefined || consumer === undefined ? lsn === consumer?.lsn : lsn <= consumer.lsn,
    );
    const where = consumer === undefined ? "not there" : `at LSN ${consumer.lsn}`;
    if (!fits)
      throw new Error(`the consumer «${name}» is ${where}, and last told was ${JSON.stringify(possible[0])}`);
    if (consumer?.isTruncated)
      throw new Error(`the log was not kept for «${name}», from LSN ${consumer.lsn} on`);
  }
}
