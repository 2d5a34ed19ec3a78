import { afterAll, describe, it } from "vitest";
import { NodeDisk, SimDisk } from "../src/index.js";
import { diskContract } from "../src/testing/index.js";
import { temporaryDirectories } from "./temporary-directory.js";

const directories = temporaryDirectories();
afterAll(() => directories.remove());

describe("NodeDisk keeps the contract", () => {
  for (const check of diskContract(async () => new NodeDisk(await directories.make())))
    it(check.name, check.run);
});

describe("NodeDisk keeps the contract where its root is still to be made", () => {
  const makeDisk = async () => new NodeDisk(`${await directories.make()}/not/yet/there`);
  for (const check of diskContract(makeDisk)) it(check.name, check.run);
});

describe("SimDisk keeps the contract", () => {
  for (const check of diskContract(() => new SimDisk())) it(check.name, check.run);
});

describe("an unhurried SimDisk keeps the contract", () => {
  for (const check of diskContract(() => new SimDisk({ unhurried: true }))) it(check.name, check.run);
});

describe("a session of a SimDisk keeps the contract", () => {
  for (const check of diskContract(() => new SimDisk().session())) it(check.name, check.run);
});
