import { setImmediate as nextTurn } from "node:timers/promises";
import type { Change, Changes, Engine } from "../../src/index.js";
import { latin1 } from "./text.js";

/** Takes all that a feed has, and notes how it ends. */
export class FeedReader {
  readonly changes: Change[] = [];
  error: unknown;
  readonly over: Promise<void>;

  constructor(feed: Changes) {
    this.over = this.#read(feed);
  }

  async #read(feed: Changes): Promise<void> {
    try {
      for await (const change of feed) this.changes.push(change);
    } catch (error) {
      this.error = error;
    }
  }

  get lsns(): number[] {
    return this.changes.map(({ lsn }) => lsn);
  }

  get texts(): string[] {
    return this.changes.map(describeChange);
  }
}

export function describeChange({ lsn, sequence, operations }: Change): string {
  const texts = operations.map((operation) => {
    if (operation.type === "deleteRange")
      return `-[${latin1(operation.start)}, ${operation.end === undefined ? "" : latin1(operation.end)})`;
    return operation.type === "put"
      ? `${latin1(operation.key)}=${latin1(operation.value)}`
      : `-${latin1(operation.key)}`;
  });
  return `${lsn}/${sequence} ${texts.join(" ")}`;
}

/** The changes from there to the durable end. */
export async function changesToEnd(engine: Engine, feed: Changes, from: number): Promise<Change[]> {
  const changes: Change[] = [];
  for (let lsn = from; lsn < engine.stats().durableLsn; lsn++) {
    const { done, value } = await feed.next();
    if (done === true) throw new Error(`the feed is over at LSN ${lsn}`);
    changes.push(value);
  }
  await feed.return();
  return changes;
}

/** A copy of the data that is kept by following. */
export class Replica {
  readonly entries = new Map<string, string>();
  token: string | undefined;

  apply(change: Change): void {
    for (const operation of change.operations) {
      if (operation.type === "put") this.entries.set(latin1(operation.key), latin1(operation.value));
      else if (operation.type === "delete") this.entries.delete(latin1(operation.key));
      else {
        const [start, end] = [latin1(operation.start), operation.end && latin1(operation.end)];
        for (const key of this.entries.keys())
          if (key >= start && (end === undefined || key < end)) this.entries.delete(key);
      }
    }
    this.token = change.token;
  }

  get sorted(): [string, string][] {
    return [...this.entries].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

export async function settle(): Promise<void> {
  await nextTurn();
}

export const lsnOf = (token: string): number => Number(token.split("-")[1]);
