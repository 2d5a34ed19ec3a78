import { runMutants } from "./harness.mjs";
import { MUTANTS } from "./mutants.mjs";

const [a, b] = process.argv.slice(2).map(Number);
const list = MUTANTS.slice(a, b);
const r = await runMutants({
  mutants: list,
  control: false,
  concurrency: 2,
  onResult: (x) => {
    console.log(
      x.outcome,
      `${x.ms} ms`,
      x.cost,
      "|",
      x.name,
      x.outcome === "found" ? "" : x.message.slice(0, 300),
    );
  },
});
console.log("done", r.mutants.length, "failures", r.failures.length);
