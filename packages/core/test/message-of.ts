import { KayaError } from "../src/index.js";

/** The message of the KAYA_INVALID_ARGUMENT that `act` must end with. */
export function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (KayaError.is(error, "KAYA_INVALID_ARGUMENT")) return error.message;
    throw error;
  }
  throw new Error("nothing was thrown");
}
