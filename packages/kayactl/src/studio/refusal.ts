import { KayaError, type KayaErrorCode } from "@kaya/core";
import type { Problem } from "./api.js";

/** A request that is answered with a `Problem`. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: "BAD_REQUEST" | "FORBIDDEN" | "NOT_FOUND";
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: Refusal["code"],
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export function badRequest(message: string): Refusal {
  return new Refusal(400, "BAD_REQUEST", message);
}

export function forbidden(message: string): Refusal {
  return new Refusal(403, "FORBIDDEN", message);
}

export function notFound(message: string): Refusal {
  return new Refusal(404, "NOT_FOUND", message);
}

const STATUS: Partial<Record<KayaErrorCode, number>> = {
  KAYA_INVALID_ARGUMENT: 400,
  KAYA_READ_ONLY: 403,
  KAYA_NOT_FOUND: 404,
  KAYA_CONFLICT: 412,
  KAYA_BUSY: 503,
  KAYA_CLOSED: 503,
  KAYA_DISK_FULL: 507,
};

/** The answer to a request that failed. */
export interface FailedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly problem: Problem;
}

export function answerTo(error: unknown): FailedAnswer {
  if (error instanceof Refusal) {
    const { status, code, message, headers } = error;
    return { status, headers, problem: { code, message } };
  }
  const problem = problemOf(error);
  return { status: STATUS[problem.code as KayaErrorCode] ?? 500, headers: {}, problem };
}

export function problemOf(error: unknown): Problem {
  if (KayaError.is(error)) return { code: error.code, message: error.message };
  return { code: "KAYA_INTERNAL", message: error instanceof Error ? error.message : String(error) };
}
