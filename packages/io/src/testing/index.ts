export { type ContractCheck, diskContract } from "./disk-contract.js";
