import {
  engineScenarios,
  faultPairScenarios,
  lsmScenarios,
  tableScenarios,
  walScenarios,
} from "../dist/explorer/index.js";
import { generatedScenario } from "./generated-scenarios.mjs";

/** @param {string} name */
export function scenarioNamed(name) {
  const [, seed] = /: generated from seed (\d+)/.exec(name) ?? [];
  const isOfPairs = name.includes(": two faults: ");
  if (seed !== undefined && !isOfPairs) return generatedScenario(Number(seed));
  const pairs = isOfPairs ? faultPairScenarios({ seed: Number(seed ?? 0) }) : [];
  const all = [...engineScenarios(), ...walScenarios(), ...tableScenarios(), ...lsmScenarios(), ...pairs];
  const found = all.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no scenario ${name}`);
  return found;
}
