import { readFileSync, writeSync } from "node:fs";

/** An example at work, in a process that is killed. Written of each in `<name>.killed.ts`. */
export interface KilledExample {
  /**
   * Looks at what the processes before left. Throws where the example does not keep what it promises.
   * @param said all lines that they said
   * @param isLast nobody works any more
   */
  check(dataDir: string, said: readonly string[], isLast: boolean): Promise<void>;
  /** Works until it is killed. */
  work(dataDir: string, say: Say): Promise<void>;
}

/** Says a line to the parent: synchronously, so what was said before the kill arrives. */
export type Say = (line: string) => void;

async function main(name: string, dataDir: string, saidFile: string, isLast: boolean): Promise<void> {
  const { check, work }: KilledExample = await import(`./${name}.killed.js`);
  await check(dataDir, readFileSync(saidFile, "utf8").split("\n").slice(0, -1), isLast);
  if (!isLast) await work(dataDir, (line) => writeSync(1, `${line}\n`));
}

const [, , name = "", dataDir = "", saidFile = "", last] = process.argv;
await main(name, dataDir, saidFile, last === "last");
