import type { Register } from "../context.js";
import { registerSimReplay } from "./sim-replay.js";
import { registerSimRun } from "./sim-run.js";

export const registerSim: Register = (program, execute) => {
  const sim = program
    .command("sim")
    .summary("look for broken promises in seeded, simulated runs")
    .description(
      "Run the store on a simulated disk: writes, reads, power cuts, kills and faults, all from one seed, compared with a " +
        "model at every step. Touches no data directory.",
    );
  registerSimRun(sim, execute);
  registerSimReplay(sim, execute);
};
