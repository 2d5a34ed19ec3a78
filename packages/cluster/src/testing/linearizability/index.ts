export {
  checkLinearizability,
  type LinearizabilityOptions,
  type LinearizabilityResult,
  type LinearizabilityViolation,
} from "./check.js";
export { describeLinearizability, describeOperation } from "./describe.js";
export {
  type HistoryOperation,
  HistoryRecorder,
  type KeyedValue,
  type OpenCall,
  type OperationOutcome,
  type RegisterValue,
} from "./history.js";
