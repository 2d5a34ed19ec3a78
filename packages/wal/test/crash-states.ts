import { type CrashItem, type CrashOutcome, Random, type SimDisk, type TornWrite } from "@kaya/io";

/**
 * Crashes a disk in every state that a crash may leave, as far as `limit` goes: first in order, from "all kept" on;
 * where there are more, the rest of the limit at random. `make` must give an equal disk each time.
 */
export async function everyCrashState(
  limit: number,
  make: () => Promise<SimDisk>,
  check: (disk: SimDisk, state: string) => Promise<void>,
): Promise<number> {
  let choices: number[] | undefined = [];
  let states = 0;
  const crash = async (tape: Tape) => {
    const disk = await make();
    disk.crash({ decide: (item) => tape.decide(item), seed: states });
    states++;
    await check(
      disk,
      `crash state ${tape.taken.map(({ label }) => label).join(", ") || "with nothing unsynced"}`,
    );
  };
  while (choices !== undefined && states < limit / 2) {
    const tape = new Tape(choices);
    await crash(tape);
    choices = tape.next();
  }
  if (choices === undefined) return states;
  const random = new Random(limit);
  while (states < limit) await crash(new Tape(() => random.uint32()));
  return states;
}

/** Choices in the order in which a crash asks for them. */
class Tape {
  readonly taken: { choice: number; of: number; label: string }[] = [];
  readonly #choices: readonly number[] | (() => number);

  constructor(choices: readonly number[] | (() => number)) {
    this.#choices = choices;
  }

  decide(item: CrashItem): CrashOutcome {
    const outcomes = outcomesOf(item);
    const wanted =
      typeof this.#choices === "function" ? this.#choices() : (this.#choices[this.taken.length] ?? 0);
    const choice = wanted % outcomes.length;
    const outcome = outcomes[choice] ?? "kept";
    const what = typeof outcome === "string" ? outcome : `torn ${JSON.stringify(outcome)}`;
    this.taken.push({ choice, of: outcomes.length, label: `${item.kind} ${item.path} ${what}` });
    return outcome;
  }

  /** The choices of the next state: what was asked for later than a changed choice starts again. */
  next(): number[] | undefined {
    const last = this.taken.findLastIndex(({ choice, of }) => choice + 1 < of);
    if (last < 0) return undefined;
    return this.taken.slice(0, last + 1).map(({ choice }, index) => (index === last ? choice + 1 : choice));
  }
}

function outcomesOf(item: CrashItem): readonly CrashOutcome[] {
  if (item.kind !== "write") return ["kept", "lost"];
  const { position, length, fileLength } = item;
  const end = Math.max(fileLength, position + length);
  const last = Math.floor((position + length - 1) / 512) - Math.floor(position / 512);
  const all = Array.from({ length: last + 1 }, (_, sector) => sector);
  const torn: TornWrite[] = [
    {
      sectorBytes: 512,
      keptSectors: all,
      rest: "old",
      fileLength: Math.max(fileLength, position + (length >> 1)),
    },
    { sectorBytes: 512, keptSectors: [], rest: "zeros", fileLength: end },
    { sectorBytes: 512, keptSectors: [], rest: "garbage", fileLength: end },
  ];
  if (last > 0) {
    torn.push({ sectorBytes: 512, keptSectors: [0], rest: "old" });
    torn.push({ sectorBytes: 512, keptSectors: [last], rest: "zeros" });
  }
  return ["kept", "lost", ...torn];
}
