import { writeSync } from "node:fs";
import { KayaError } from "@kaya/core";

/**
 * To the process above, at once and synchronously: a kill loses nothing that was said.
 * @param {string} line
 */
export function say(line) {
  for (let bytes = Buffer.from(`${line}\n`); bytes.length > 0; ) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    }
  }
}

/** @param {unknown} error */
export const codeOf = (error) => (KayaError.is(error) ? error.code : `NO_KAYA_ERROR ${error}`);
