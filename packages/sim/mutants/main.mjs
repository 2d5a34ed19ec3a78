// The mutation check: `node main.mjs [--json] [--verbose] [--only TEXT] [--no-control] [--record] [--most N --order N]`. Build first. Ends with 1 where a bug was not
// found. Each is looked for where it was found before (places.json), and everywhere only if it is not there; `--record` writes down where
// it was found now. `--one-fault` looks without schedules of two faults: those that only these find survive. `--stale` only tells, at once, which bugs find their piece of code no more.
// `--most N` looks for N of them, drawn by `--order`.
import { parseArgs } from "node:util";
import { Random } from "@kaya/io";
import { shuffled } from "../torture/shuffled.mjs";
import { runMutants } from "./harness.mjs";
import { MUTANTS } from "./mutants.mjs";
import { staleMutants } from "./patched-copy.mjs";
import { recordPlaces } from "./places.mjs";
import { TABLE_HEAD, tableRow } from "./table.mjs";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    only: { type: "string" },
    "no-control": { type: "boolean", default: false },
    stale: { type: "boolean", default: false },
    "one-fault": { type: "boolean", default: false },
    record: { type: "boolean", default: false },
    most: { type: "string", default: `${MUTANTS.length}` },
    order: { type: "string", default: "1" },
  },
});

if (values.stale) {
  const stale = staleMutants(MUTANTS);
  console.log(stale.length === 0 ? "none is stale" : stale.join("\n"));
  process.exit(stale.length === 0 ? 0 : 1);
}

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => interruption.abort());

if (!values.json) console.log(TABLE_HEAD);
const { signal } = interruption;
const { baseline, mutants, failures, misplaced } = await runMutants({
  only: values.only,
  mutants: drawn(Number(values.most), Number(values.order)),
  control: !values["no-control"],
  oneFault: values["one-fault"],
  onResult: print,
  signal,
}).catch((error) => {
  console.error(error.message);
  process.exit(signal.aborted ? 130 : 2);
});
if (values.json) console.log(JSON.stringify(document(), undefined, 2));
else console.log(summary());
process.exitCode = failures.length === 0 ? 0 : 1;

/** So many of the bugs. The same order draws the same ones. */
function drawn(most, order) {
  if (most >= MUTANTS.length) return MUTANTS;
  return shuffled(MUTANTS, new Random(order)).slice(0, most);
}

function print(result) {
  if (values.record) recordPlaces([result], MUTANTS);
  if (values.json) return;
  console.log(tableRow(result));
  const needsWords = result.outcome === "stale" || result.outcome === "broken";
  if (values.verbose || needsWords) console.log(result.message.replace(/^/gm, "    "));
}

function document() {
  return { baseline, mutants, survivors: failures, misplaced };
}

function summary() {
  const found = mutants.filter(({ outcome }) => outcome === "found").length;
  const verdict = `${found} of ${mutants.length} deliberate bugs found${searched()}`;
  if (baseline === undefined) return verdict;
  if (baseline.outcome === "survived") return `${verdict}; without one: 0 violations in ${baseline.cost}`;
  return `${verdict}; but without one, too: ${baseline.foundBy}: ${baseline.message}. The check proves nothing.`;
}

function searched() {
  if (misplaced.length === 0 || values.record) return "";
  return `, ${misplaced.length} of them by a search, as they are not where places.json says: --record writes down where they are`;
}
