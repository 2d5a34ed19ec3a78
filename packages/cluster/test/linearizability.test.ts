import {
  checkLinearizability,
  describeLinearizability,
  type HistoryOperation,
  HistoryRecorder,
  type KeyedValue,
  type OperationOutcome,
} from "@kaya/cluster/testing";
import { Random } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { randomHistory } from "./support/random-history.js";

type Span = readonly [invoked: number, returned: number];
let processes = 0;

function operation(
  [invoked, returned]: Span,
  name: string,
  parts: { expects?: KeyedValue[]; writes?: KeyedValue[]; outcome?: OperationOutcome },
): HistoryOperation {
  const { expects = [], writes = [], outcome = "ok" } = parts;
  return { process: `p${processes++}`, name, invoked, returned, outcome, expects, writes };
}

const put = (span: Span, key: string, value: string, outcome: OperationOutcome = "ok") =>
  operation(span, "put", { writes: [{ key, value }], outcome });
const remove = (span: Span, key: string, outcome: OperationOutcome = "ok") =>
  operation(span, "delete", { writes: [{ key, value: undefined }], outcome });
const get = (span: Span, key: string, value?: string) =>
  operation(span, "get", { expects: [{ key, value }] });
const batch = (span: Span, expects: KeyedValue[], writes: KeyedValue[], outcome: OperationOutcome = "ok") =>
  operation(span, "batch", { expects, writes, outcome });
const pair = (key: string, value?: string): KeyedValue => ({ key, value });

const verdictOf = (...history: HistoryOperation[]) => checkLinearizability(history).verdict;

describe("histories of registers", () => {
  it("are linearizable if each read sees the last write", () => {
    expect(verdictOf(get([1, 2], "a"), put([3, 4], "a", "1"), get([5, 6], "a", "1"))).toBe("linearizable");
    expect(verdictOf()).toBe("linearizable");
  });

  it("let a read see a concurrent write or the value before it", () => {
    const write = put([1, 10], "a", "1");
    expect(verdictOf(write, get([2, 3], "a", "1"), get([4, 5], "a", "1"))).toBe("linearizable");
    expect(verdictOf(write, get([2, 3], "a"), get([4, 5], "a", "1"))).toBe("linearizable");
    expect(verdictOf(write, get([2, 3], "a", "1"), get([4, 5], "a"))).toBe("violation");
  });

  it("refuse a stale read", () => {
    expect(verdictOf(put([1, 2], "a", "1"), put([3, 4], "a", "2"), get([5, 6], "a", "1"))).toBe("violation");
  });

  it("refuse a lost write, and a write that comes back", () => {
    expect(verdictOf(put([1, 2], "a", "1"), get([3, 4], "a"))).toBe("violation");
    const overwritten = [put([1, 2], "a", "1"), put([3, 4], "a", "2"), get([5, 6], "a", "2")];
    expect(verdictOf(...overwritten, get([7, 8], "a", "1"))).toBe("violation");
    expect(verdictOf(put([1, 2], "a", "1"), remove([3, 4], "a"), get([5, 6], "a", "1"))).toBe("violation");
  });

  it("refuse a value that no operation wrote", () => {
    expect(verdictOf(put([1, 2], "a", "1"), get([3, 4], "a", "7"))).toBe("violation");
  });

  it("let a write of unknown outcome take effect late, once, or never", () => {
    const doubtful = put([1, 2], "a", "1", "unknown");
    expect(verdictOf(doubtful, get([3, 4], "a"), get([5, 6], "a"))).toBe("linearizable");
    expect(verdictOf(doubtful, get([3, 4], "a"), get([5, 6], "a", "1"))).toBe("linearizable");
    expect(verdictOf(doubtful, get([3, 4], "a", "1"), get([5, 6], "a"))).toBe("violation");
    expect(verdictOf(get([1, 2], "a", "1"), put([3, 4], "a", "1", "unknown"))).toBe("violation");
    const twice = [doubtful, get([3, 4], "a", "1"), put([5, 6], "a", "2"), get([7, 8], "a", "1")];
    expect(verdictOf(...twice)).toBe("violation");
    const deleted = [put([1, 2], "a", "1"), remove([3, 4], "a", "unknown"), get([5, 6], "a", "1")];
    expect(verdictOf(...deleted, get([7, 8], "a"))).toBe("linearizable");
    expect(verdictOf(...deleted, get([7, 8], "a"), get([9, 10], "a", "1"))).toBe("violation");
  });

  it("refuse a failed write that a read sees", () => {
    expect(verdictOf(put([1, 2], "a", "1", "failed"), get([3, 4], "a"))).toBe("linearizable");
    expect(verdictOf(put([1, 2], "a", "1", "failed"), get([3, 4], "a", "1"))).toBe("violation");
  });

  it("begin with the given values", () => {
    const history = [get([1, 2], "a", "0"), put([3, 4], "a", "1")];
    expect(checkLinearizability(history, { initial: new Map([["a", "0"]]) }).verdict).toBe("linearizable");
    expect(checkLinearizability(history).verdict).toBe("violation");
  });

  it("may write the same value again", () => {
    const again = [
      put([1, 2], "a", "1"),
      put([3, 4], "a", "2"),
      put([5, 6], "a", "1"),
      get([7, 8], "a", "1"),
    ];
    expect(verdictOf(...again)).toBe("linearizable");
    const concurrent = [put([1, 9], "a", "1"), put([2, 9], "a", "2"), put([3, 9], "a", "1")];
    const reads = [get([4, 5], "a", "1"), get([6, 7], "a", "2"), get([10, 11], "a", "1")];
    expect(verdictOf(...concurrent, ...reads)).toBe("linearizable");
  });
});

describe("histories of conditional batches", () => {
  it("are linearizable if batches are whole and conditions held", () => {
    const first = batch([1, 2], [pair("a"), pair("b")], [pair("a", "1"), pair("b", "1")]);
    expect(verdictOf(first, get([3, 4], "b", "1"), get([5, 6], "a", "1"))).toBe("linearizable");
  });

  it("refuse a torn batch", () => {
    const both = batch([1, 9], [], [pair("a", "1"), pair("b", "1")]);
    expect(verdictOf(both, get([2, 3], "a", "1"), get([4, 5], "b"))).toBe("violation");
    const snapshot = operation([2, 3], "snapshot", { expects: [pair("a", "1"), pair("b")] });
    expect(verdictOf(both, snapshot)).toBe("violation");
  });

  it("refuse a batch whose condition did not hold, and a conflict without a reason", () => {
    const write = put([1, 2], "a", "1");
    expect(verdictOf(write, batch([3, 4], [pair("a")], [pair("b", "1")]))).toBe("violation");
    expect(verdictOf(write, batch([3, 4], [pair("a")], [pair("b", "1")], "conflict"))).toBe("linearizable");
    expect(verdictOf(write, batch([3, 4], [pair("a", "1")], [pair("b", "1")], "conflict"))).toBe("violation");
  });

  it("explain a conflict by a concurrent write that no read saw", () => {
    const seen = [put([1, 4], "a", "1"), put([2, 7], "a", "2")];
    const lost = batch([5, 8], [pair("a", "1")], [pair("b", "1")], "conflict");
    expect(verdictOf(...seen, lost)).toBe("linearizable");
  });

  it("refuse two batches that both saw the same value and replaced it", () => {
    const one = batch([1, 5], [pair("a")], [pair("a", "1")]);
    const other = batch([2, 6], [pair("a")], [pair("a", "2")]);
    expect(verdictOf(one, other)).toBe("violation");
    expect(verdictOf(one, { ...other, outcome: "conflict" })).toBe("linearizable");
  });

  it("let a batch of unknown outcome take effect only if its conditions hold", () => {
    const doubtful = batch([1, 2], [pair("a")], [pair("a", "1"), pair("b", "1")], "unknown");
    expect(verdictOf(doubtful, get([3, 4], "b", "1"))).toBe("linearizable");
    expect(verdictOf(put([-1, 0], "a", "0"), doubtful, get([3, 4], "b", "1"))).toBe("violation");
    const behind = [put([3, 4], "a", "2"), get([5, 6], "b"), get([7, 8], "b", "1")];
    expect(verdictOf(doubtful, ...behind)).toBe("violation");
  });

  it("explain a conflict by a write of unknown outcome", () => {
    const doubtful = put([1, 2], "a", "1", "unknown");
    const lost = batch([3, 4], [pair("a")], [pair("b", "1")], "conflict");
    expect(verdictOf(doubtful, lost, get([5, 6], "a", "1"))).toBe("linearizable");
    expect(verdictOf(doubtful, lost, put([5, 6], "a", "2"), get([7, 8], "a", "2"))).toBe("linearizable");
    expect(verdictOf(doubtful, lost, get([5, 6], "a"))).toBe("violation");
  });

  it("keep the order of batches that see each other over several keys", () => {
    const history = [
      batch([1, 20], [], [pair("a", "1"), pair("b", "1")]),
      batch([2, 20], [], [pair("b", "2"), pair("c", "2")]),
      batch([3, 20], [], [pair("c", "3"), pair("a", "3")]),
    ];
    const circle = [get([21, 22], "a", "1"), get([21, 22], "b", "2"), get([21, 22], "c", "3")];
    expect(verdictOf(...history, ...circle)).toBe("violation");
    const order = [get([21, 22], "a", "3"), get([21, 22], "b", "2"), get([21, 22], "c", "3")];
    expect(verdictOf(...history, ...order)).toBe("linearizable");
  });
});

describe("a history that is not linearizable", () => {
  it("is described by the operation that cannot be placed, the operations around it, and the smallest bad part", () => {
    const noise = randomHistory({ seed: 1, operations: 300, processes: 8, keys: 4, batches: 30, unknown: 5 });
    const late = Math.max(...noise.map(({ returned }) => returned));
    const bad = [put([late + 1, late + 2], "k0", "x"), put([late + 3, late + 4], "k0", "y")];
    const result = checkLinearizability([...noise, ...bad, get([late + 5, late + 6], "k0", "x")]);
    expect(result.verdict).toBe("violation");
    // The write of y would replace x, which the read still has to see.
    expect(result.violation?.stuck).toMatchObject({ name: "put", writes: [pair("k0", "y")] });
    expect(result.violation?.minimal).toHaveLength(3);
    const text = describeLinearizability(result);
    expect(text).toContain("k0=y");
    expect(text).toContain("smallest part that is not linearizable (3 operations)");
  });
});

describe("random histories", () => {
  it("of one copy are linearizable, with and without a hint", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const unknown = random.pick([0, 5, 15]);
      const batches = random.pick([0, 10, 40]);
      const keys = random.pick([1, 3, 12]);
      const options = { seed, operations: 400, processes: random.pick([2, 5, 12]), keys, batches, unknown };
      const history = randomHistory(options);
      expect(checkLinearizability(history).verdict, `seed ${seed}`).toBe("linearizable");
      const blind = history.map(({ hint: _, ...operation }) => operation);
      expect(checkLinearizability(blind).verdict, `seed ${seed}, no hint`).toBe("linearizable");
    }
  });

  it("of 20,000 operations by 30 processes are decided within the limit", () => {
    const size = { operations: 20_000, processes: 30, batches: 10 };
    for (const keys of [50, 1000]) {
      const history = randomHistory({ seed: keys, keys, unknown: 1, ...size });
      expect(checkLinearizability(history).verdict).toBe("linearizable");
    }
  });

  const mutations: Record<string, (history: HistoryOperation[], random: Random) => HistoryOperation[]> = {
    "a stale read": (history, random) =>
      changeRead(history, random, (key, at) => valueBefore(history, key, at, 2)),
    "a lost write": (history, random) => {
      const seen = new Set(
        history.filter(isRead).flatMap(({ expects }) => expects.map(({ value }) => value)),
      );
      const last = history.filter(
        ({ outcome, writes }) =>
          outcome === "ok" && writes.some(({ value }) => value !== undefined && seen.has(value)),
      );
      const lost = last[random.below(last.length)];
      return history.filter((each) => each !== lost);
    },
    "a value from long ago": (history, random) =>
      changeRead(history, random, (key, at) => valueBefore(history, key, at, 5)),
  };

  for (const [name, mutate] of Object.entries(mutations))
    it(`with ${name} are refused`, () => {
      for (let seed = 1; seed <= 8; seed++) {
        const size = { operations: 300, processes: 8, keys: 6, batches: 15, unknown: 3 };
        const history = mutate(randomHistory({ seed, ...size }), new Random(seed));
        const result = checkLinearizability(history, { shrink: seed % 10 === 0 });
        expect(result.verdict, `seed ${seed}`).toBe("violation");
      }
    });

  it("with a torn batch are refused", () => {
    for (let seed = 1; seed <= 8; seed++) {
      const size = { operations: 300, processes: 6, keys: 4, batches: 30, unknown: 3 };
      const history = randomHistory({ seed, ...size });
      const late = Math.max(...history.map(({ returned }) => returned));
      const torn = [
        batch([late + 1, late + 4], [], [pair("k0", "x"), pair("k1", "x")]),
        get([late + 2, late + 3], "k1", "x"),
        get([late + 5, late + 6], "k0", lastOf(history, "k0")),
      ];
      expect(checkLinearizability([...history, ...torn], { shrink: false }).verdict, `seed ${seed}`).toBe(
        "violation",
      );
    }
  });
});

describe("a recorder", () => {
  it("keeps the first answer, and gives a call without an answer the outcome unknown", () => {
    const recorder = new HistoryRecorder();
    const write = recorder.call({ process: "p", name: "put", writes: [pair("a", "1")] });
    recorder.call({ process: "q", name: "put", writes: [pair("a", "2")] });
    write.ok({ hint: 7 });
    write.unknown();
    const read = recorder.call({ process: "p", name: "get" });
    read.ok({ expects: [pair("a", "1")] });
    const history = recorder.end();
    expect(history).toMatchObject([
      { process: "p", outcome: "ok", invoked: 1, returned: 3, hint: 7 },
      { process: "p", outcome: "ok", expects: [pair("a", "1")] },
      { process: "q", outcome: "unknown" },
    ]);
    expect(checkLinearizability(history).verdict).toBe("linearizable");
  });
});

function isRead({ outcome, writes }: HistoryOperation): boolean {
  return outcome === "ok" && writes.length === 0;
}

/** Changes the answer of one read in the last half. */
function changeRead(
  history: HistoryOperation[],
  random: Random,
  otherValue: (key: string, at: number) => string | undefined,
): HistoryOperation[] {
  const reads = history.filter((each, index) => {
    const [seen] = each.expects;
    if (!isRead(each) || index < history.length / 2 || seen === undefined) return false;
    const other = otherValue(seen.key, each.invoked);
    return other !== undefined && other !== seen.value;
  });
  const chosen = reads[random.below(reads.length)] as HistoryOperation;
  const [{ key } = { key: "" }] = chosen.expects;
  const changed = { ...chosen, expects: [{ key, value: otherValue(key, chosen.invoked) }] };
  return history.map((each) => (each === chosen ? changed : each));
}

/** A value that was overwritten by this many sequential writes, all of which returned before `at`. */
function valueBefore(
  history: HistoryOperation[],
  key: string,
  at: number,
  writes: number,
): string | undefined {
  let limit = at;
  let value: string | undefined;
  for (let left = writes; left > 0; left--) {
    const before = history.filter(
      (each) =>
        each.outcome === "ok" && each.returned < limit && each.writes.some((write) => write.key === key),
    );
    const last = before.sort((a, b) => b.returned - a.returned)[0];
    if (last === undefined) return undefined;
    limit = last.invoked;
    value = last.writes.findLast((write) => write.key === key)?.value;
  }
  return value;
}

/** The last acknowledged value of a key. */
function lastOf(history: HistoryOperation[], key: string): string | undefined {
  const writes = history.filter(
    (each) => each.outcome === "ok" && each.writes.some((write) => write.key === key),
  );
  return writes.at(-1)?.writes.findLast((write) => write.key === key)?.value;
}
