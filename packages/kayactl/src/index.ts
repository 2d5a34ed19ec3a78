export { ExitCode, type Io } from "./context.js";
export { run } from "./main.js";
export type { OutputStream } from "./terminal/output.js";
