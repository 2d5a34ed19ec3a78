import { engineScenarios, lsmScenarios, tableScenarios, walScenarios } from "../dist/explorer/index.js";
import { generatedScenario } from "./generated-scenarios.mjs";

/** @param {string} name */
export function scenarioNamed(name) {
  const [, seed] = /: generated from seed (\d+)/.exec(name) ?? [];
  if (seed !== undefined) return generatedScenario(Number(seed));
  const found = [...engineScenarios(), ...walScenarios(), ...tableScenarios(), ...lsmScenarios()].find(
    (each) => each.name === name,
  );
  if (found === undefined) throw new Error(`there is no scenario ${name}`);
  return found;
}
