export { type Options, parseOptions } from "./options.js";
export { toMarkdown } from "./report/markdown.js";
export { toSvg } from "./report/svg.js";
export type { Run } from "./run.js";
export { SYSTEMS } from "./systems/all.js";
export { TARGETS } from "./targets.js";
