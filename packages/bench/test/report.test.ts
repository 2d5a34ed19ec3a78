import pc from "picocolors";
import { describe, expect, test } from "vitest";
import { formatFigure, formatShort } from "../src/report/format.js";
import { intoDocument } from "../src/report/into-document.js";
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

  test("the best is the least where less is better", () => {
    const verdict = verdicts.find(({ title }) => title.endsWith("99th percentile"));
    expect(verdict).toMatchObject({ target: "≤ 1.00x best peer (lmdb)", isReached: true });
    expect(verdict?.found?.median).toBe(0.5);
  });

  test("a figure is held against the best peer of another row", () => {
    const coalesced = {
      id: "coalesced-puts/256",
      title: "by hand",
      unit: "puts/s",
      better: "higher",
    } as const;
    const samples = [1, 2, 3].flatMap((round) => [
      { row: coalesced.id, system: "lmdb", round, value: 30_000 },
      { row: coalesced.id, system: "rocksdb", round, value: 50_000 },
    ]);
    const run = {
      ...FIXED_RUN,
      rows: [...FIXED_RUN.rows, coalesced],
      samples: [...FIXED_RUN.samples, ...samples],
    };
    const verdict = verdictsOf(run).find(({ target }) => target.includes("by hand"));
    expect(verdict).toMatchObject({ target: '≥ 2.00x best peer (rocksdb) in "by hand"', isReached: false });
    expect(verdict?.found).toEqual({ median: 1.5, min: 1.4, max: 1.6 });
    expect(verdictsOf(FIXED_RUN).some(({ target }) => target.includes("by hand"))).toBe(false);
  });

  test("what has no figure is neither reached nor not", () => {
    const verdict = verdicts.find(({ title }) => title === "memory, all in");
    expect(verdict?.target).toBe("≤ 250 bytes/entry");
    expect(verdict?.isReached).toBeUndefined();
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
    expect(toMarkdown(run)).toMatch(/; ≥ 5.00x best peer \(lmdb\): 3.00x \| event loop \|\n/);
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

  test("says on what, when, of which commit and how often, and shows the rows that are lost", () => {
    expect(markdown).toContain("Measured on 2026-01-02 at commit abc1234");
    expect(markdown).toContain("2 x A<B & C, 8 GiB, data on ext4");
    expect(markdown).toContain("Medians of 3 rounds;");
    expect(toMarkdown({ ...FIXED_RUN, roundsOf: { "durable-puts": 5, gets: 9 } })).toContain(
      "Medians of 3 rounds, 5 of durable-puts;",
    );
    expect(markdown).toContain("| open, and get one entry (ms) | 900 |  | **1.50** |  |  |");
  });

  test("the best of those that keep data on disk is bold", () => {
    expect(markdown).toContain(
      "| durable puts, 256 in flight (puts/s) | **75,000** | 100,000 | 25,000 | 10,000 | 90,000 |",
    );
  });

  test("percentiles have a table of their own", () => {
    const [before = "", after = ""] = markdown.split("### 99th percentiles, in milliseconds");
    expect(before).not.toContain("percentile");
    expect(after).toMatch(/^\n\n.*\n.*\n\| durable puts, 256 in flight \| \*\*4.00/);
  });

  test("counts the targets that are reached", () => {
    expect(markdown).toContain("### Targets\n\n2 of 4 are reached: they are bold. ");
  });

  test("tells the rates whose rounds lie far apart, and no other", () => {
    expect(markdown).toMatch(
      /### Spread\n\n.*\n\n- durable puts, 256 in flight: rocksdb 10,000 to 20,000\n\n/,
    );
  });

  test("says what could not be measured; a peer that is missing, once for all rows", () => {
    expect(markdown).toContain(
      "### Not measured\n\n- growth, kaya: out of memory\n- node-sqlite: no such module\n- limited, all systems: not root\n",
    );
  });
});

describe("a document with generated parts", () => {
  const document = "# T\n\n<!-- bench:summary -->\nold\n<!-- /bench -->\n\ntext\n";

  test("gets the short table of the stores that keep data on disk, and the rest stays", () => {
    const result = intoDocument(document, FIXED_RUN, "README.md");
    expect(result).toMatch(/^# T\n\n<!-- bench:summary -->\n\nMeasured on 2026-01-02/);
    expect(result).toMatch(/\n<!-- \/bench -->\n\ntext\n$/);
    expect(result).toContain("| durable puts, 256 in flight (puts/s) | **75k** | 25k | 10k |");
    expect(result).not.toContain("raw loop");
    expect(result).not.toContain("\nold\n");
    expect(intoDocument(result, FIXED_RUN, "README.md")).toBe(result);
  });

  test("gets the whole report, and as many parts as it has", () => {
    const both = document.replace("summary", "report") + document;
    const result = intoDocument(both, FIXED_RUN, "README.md");
    expect(result).toContain(toMarkdown(FIXED_RUN));
    expect(result.match(/Measured on/g)).toHaveLength(2);
  });

  test("keeps the part of another bench", () => {
    const cluster = "<!-- bench:cluster -->\nkept\n<!-- /bench -->\n";
    expect(intoDocument(document + cluster, FIXED_RUN, "a.md")).toMatch(new RegExp(`${cluster}$`));
    expect(() => intoDocument(cluster, FIXED_RUN, "a.md")).toThrow(/^a.md has no <!-- bench/);
  });

  test("is refused by its name where it has no such parts, or one that there is not", () => {
    expect(() => intoDocument("# T\n", FIXED_RUN, "a.md")).toThrow(/^a.md has no <!-- bench/);
    expect(() => intoDocument(document.replace("summary", "plot"), FIXED_RUN, "a.md")).toThrow(
      "a.md: bench:plot is none of summary, report",
    );
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
    expect(svg.match(/<rect /g)).toHaveLength(5);
    expect(svg).toContain("prefers-color-scheme: dark");
  });

  test("has the rows that tell most, in two columns; a run that has none of them has all its rates", () => {
    const rowOf = (id: string) => ({ id, title: id, unit: "puts/s", better: "higher" }) as const;
    const svgOf = (...ids: string[]) =>
      toSvg({
        ...FIXED_RUN,
        rows: ids.map(rowOf),
        samples: ids.flatMap((row) =>
          ["kaya", "lmdb"].map((system) => ({ row, system, round: 1, value: 5 })),
        ),
      });
    const some = svgOf("durable-puts/1", "durable-puts/16", "gets/sync", "gets/async");
    expect(some.match(/class="group"/g)).toHaveLength(3);
    expect(some.match(/<g transform="translate\((\d+)\)">/g)).toEqual([
      '<g transform="translate(0)">',
      '<g transform="translate(430)">',
    ]);
    expect(svgOf("gets/async").match(/class="group"/g)).toHaveLength(1);
  });

  test("a longer bar is a higher rate", () => {
    const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
    const [kaya = 0, raw = 0, lmdb = 0] = widths;
    expect(raw).toBeGreaterThan(kaya);
    expect(kaya).toBeGreaterThan(lmdb);
    expect(lmdb).toBeGreaterThan(0);
  });

  test("a run without figures still gives a picture", () => {
    expect(toSvg({ ...FIXED_RUN, rows: [], samples: [] })).not.toMatch(/NaN|undefined|Infinity/);
    expect(toSvg({ ...FIXED_RUN, samples: [] })).not.toMatch(/NaN|undefined|Infinity/);
  });
});

test("the terminal's report has the figures and the verdicts", () => {
  const text = toText(FIXED_RUN, pc.createColors(false));
  expect(text).toMatch(/durable puts, 256 in flight +75,000 +100,000 +25,000 +10,000/);
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
