import { escapeText } from "../terminal/text.js";

/** Text of anybody's making as HTML. */
export function text(value: string): string {
  return escapeText(value)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
