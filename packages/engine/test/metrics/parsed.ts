import { createRequire } from "node:module";

export interface ParsedSample {
  readonly value?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly buckets?: Readonly<Record<string, string>>;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metrics: readonly ParsedSample[];
}

// It has no types.
const parseText = createRequire(import.meta.url)("parse-prometheus-text-format") as (
  text: string,
) => Family[];

/** What another program's parser reads in the text. */
export function parse(text: string): Map<string, Family> {
  return new Map(parseText(text).map((family) => [family.name, family]));
}

/** The value of a metric that has one, of the store and the labels that are given. */
export function valueIn(
  families: Map<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const found = families
    .get(name)
    ?.metrics.filter((sample) =>
      Object.entries(labels).every(([label, text]) => sample.labels?.[label] === text),
    );
  if (found?.length !== 1) return undefined;
  return Number(found[0]?.value);
}
