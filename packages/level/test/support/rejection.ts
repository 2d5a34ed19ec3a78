import { expect } from "vitest";

interface CodedError {
  readonly message: string;
  readonly code?: string;
  readonly cause?: CodedError;
}

/** The error that it rejects with, whose codes are checked, from the outermost to its causes. */
export async function rejection(codes: readonly string[], promise: Promise<unknown>): Promise<CodedError> {
  const error = await promise.then(
    (): CodedError => ({ message: "it resolved" }),
    (reason: CodedError) => reason,
  );
  const found: (string | undefined)[] = [];
  for (let each: CodedError | undefined = error; each !== undefined; each = each.cause) found.push(each.code);
  expect(found, error.message).toEqual(codes);
  return error;
}
