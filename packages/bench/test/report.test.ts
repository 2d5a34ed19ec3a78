import pc from "picocolors";
import { describe, expect, test } from "vitest";
import { formatFigure, formatShort } from "../src/report/format.js";
import { toMarkdown } from "../src/report/markdown.js";
import { toSvg } from "../src/report/svg.js";
import { toText } from "../src/report/terminal.js";
import { verdictsOf } from "../src/report/verdicts.js";
import { FIXED_RUN } from "./support/fixed-run.js";

describe("verdicts", () => {
  const verdicts = verdictsOf(FIXED_RUN);

  test("a target is held against the named system, round by round", () => {
    expect(verdicts[0]).toMatchObject({ target: "≥ 0.70x raw loop", isReached: true });
    expect(verdicts[0]?.found).toEqual({ median: 0.75, min: 0.7, max: 0.8 });
  });

  test("the best peer is the best that was measured", () => {
    expect(verdicts[1]).toMatchObject({ target: "≥ 5.00x best peer (lmdb)", isReached: false });
    expect(verdicts[1]?.found?.median).toBe(3);
  });

  test("what has no figure is neither reached nor not", () => {
    expect(verdicts[2]).toMatchObject({ title: "memory, all in", target: "≤ 250 bytes/entry" });
    expect(verdicts[2]?.isReached).toBeUndefined();
  });

  test("an upper limit is reached from below", () => {
    const sample = { row: "growth/1M-rss", system: "kaya", round: 1 };
    const at = (value: number) =>
      verdictsOf({ ...FIXED_RUN, samples: [{ ...sample, value }] }).find(
        ({ title }) => title === "memory, all in",
      )?.isReached;
    expect([at(250), at(251)]).toEqual([true, false]);
  });
});

describe("what holds a figure back", () => {
  const usage = { loop: 0.98, cores: 1, coresThere: 2 };
  const samples = FIXED_RUN.samples.map((sample) => ({ ...sample, usage }));
  const run = { ...FIXED_RUN, samples, notes: ["limited: not cold"] };

  test("is told for what is not reached, and for nothing else", () => {
    expect(verdictsOf(run).filter(({ limit }) => limit !== undefined)).toEqual(
      verdictsOf(run).filter(({ isReached }) => isReached === false),
    );
    expect(toText(run, pc.createColors(false))).toMatch(/not reached\n {2}the event loop is busy/);
    expect(toMarkdown(run)).toMatch(
      /### What holds back the targets that are not reached\n\n- durable puts.*: the event loop is busy/,
    );
  });

  test("what was measured in another way is told", () => {
    expect(toText(run, pc.createColors(false))).toMatch(/\nlimited: not cold$/);
    expect(toMarkdown(run)).toContain("### Measured in another way\n\n- limited: not cold\n");
  });
});

describe("Markdown", () => {
  const markdown = toMarkdown(FIXED_RUN);

  test("every table has as many cells in each line as in its head", () => {
    for (const block of markdown.split("\n\n").filter((text) => text.startsWith("|"))) {
      const cells = block.split("\n").map((line) => line.replaceAll("\\|", "").split("|").length);
      expect(new Set(cells).size, block).toBe(1);
    }
  });

  test("says on what, when and of which commit, and shows the rows that are lost", () => {
    expect(markdown).toContain("Measured on 2026-01-02 at commit abc1234");
    expect(markdown).toContain("2 x A<B & C, 8 GiB, data on ext4");
    expect(markdown).toContain("| durable puts, 256 in flight (puts/s) | **75,000** | 100,000 | 25,000 |");
    expect(markdown).toContain("| open, and get one entry (ms) | 900 |  | **1.50** |");
  });

  test("says what could not be measured", () => {
    expect(markdown).toContain("### Not measured\n\n- growth, kaya: out of memory\n");
  });
});

describe("SVG", () => {
  const svg = toSvg(FIXED_RUN);

  test("is well-formed", () => {
    const open: string[] = [];
    for (const [, close, name = "", selfClosing] of svg.matchAll(/<(\/?)([a-z]+)(?:\s[^<>]*?)?(\/?)>/g)) {
      if (close === "/") expect(open.pop()).toBe(name);
      else if (selfClosing !== "/") open.push(name);
    }
    expect(open).toEqual([]);
    expect(svg).toContain("A&lt;B &amp; C");
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("has a bar for each rate, and none for what is not a rate", () => {
    expect(svg.match(/<rect /g)).toHaveLength(3);
    expect(svg).toContain("prefers-color-scheme: dark");
  });

  test("a longer bar is a higher rate", () => {
    const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
    const [kaya = 0, raw = 0, lmdb = 0] = widths;
    expect(raw).toBeGreaterThan(kaya);
    expect(kaya).toBeGreaterThan(lmdb);
    expect(lmdb).toBeGreaterThan(0);
  });

  test("a run without figures still gives a picture", () => {
    expect(toSvg({ ...FIXED_RUN, samples: [] })).not.toMatch(/NaN|undefined|Infinity/);
  });
});

test("the terminal's report has the figures and the verdicts", () => {
  const text = toText(FIXED_RUN, pc.createColors(false));
  expect(text).toMatch(/durable puts, 256 in flight +75,000 +100,000 +25,000/);
  expect(text).toMatch(/≥ 5.00x best peer \(lmdb\) +3.00x \(2.80x to 3.20x\) {2}not reached/);
});

test("figures have three digits, or all of a whole number", () => {
  expect([1234567, 99.96, 12.345, 0.4211].map(formatFigure)).toEqual(["1,234,567", "100.0", "12.3", "0.42"]);
  expect([950, 1000, 45_600, 999_600, 12_000_000].map(formatShort)).toEqual([
    "950",
    "1k",
    "45.6k",
    "1M",
    "12M",
  ]);
});
