import picocolors from "picocolors";

/** Colours on a terminal only, whatever the environment says of continuous integration. */
export const colors = picocolors.createColors(
  process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
);
