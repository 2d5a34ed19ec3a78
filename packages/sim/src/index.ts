export * from "./explorer/index.js";
export * from "./simulation/index.js";
