import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { text as escapeHtml } from "../log-page/html-text.js";
import type { Problem } from "./api.js";

/** On every answer. The page loads scripts and styles only from its own files, and connects only to this server. */
export const SECURITY_HEADERS: OutgoingHttpHeaders = {
  "cache-control": "no-store",
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** Bytes of a type. */
export interface Content {
  readonly type: string;
  readonly bytes: Uint8Array | string;
}

export function send(
  response: ServerResponse,
  status: number,
  { type, bytes }: Content,
  headers: OutgoingHttpHeaders = {},
): void {
  const body = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    "content-type": type,
    "content-length": body.length,
    ...headers,
  });
  response.end(body);
}

export function sendJson(response: ServerResponse, value: object): void {
  send(response, 200, { type: "application/json", bytes: JSON.stringify(value) });
}

export function sendProblem(
  response: ServerResponse,
  status: number,
  problem: Problem,
  headers: OutgoingHttpHeaders = {},
): void {
  send(response, status, { type: "application/json", bytes: JSON.stringify(problem) }, headers);
}

/** A page of a heading and a sentence, for a browser that does not have the studio's page. */
export function sendNote(response: ServerResponse, status: number, heading: string, text: string): void {
  const html = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>${escapeHtml(heading)}</title><h1>${escapeHtml(heading)}</h1><p>${escapeHtml(text)}</p></html>
`;
  send(response, status, { type: "text/html; charset=utf-8", bytes: html });
}
