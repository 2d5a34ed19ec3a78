import { el } from "./dom.js";

const BYTES_A_LINE = 16;

/** The header's fields (FORMAT.md), and which bytes of it they take. */
const FIELDS = [
  { name: "magic", end: 4 },
  { name: "version", end: 6 },
  { name: "header length", end: 8 },
  { name: "flags", end: 10 },
  { name: "record type", end: 12 },
  { name: "LSN", end: 20 },
  { name: "sequence", end: 28 },
  { name: "payload length", end: 32 },
  { name: "header CRC-32C", end: 36 },
  { name: "payload CRC-32C", end: 40 },
];

/** Bytes as hex and text, with where they stand in the file. `isRecord`: they begin with a header, whose fields are told apart. */
export function hexTable(bytes: Uint8Array, offset: number, isRecord: boolean): HTMLElement {
  const table = el("pre", { class: "hex", tabindex: "0", "aria-label": "Bytes in hex and as text" });
  for (let at = 0; at < bytes.length; at += BYTES_A_LINE) {
    const line = bytes.subarray(at, at + BYTES_A_LINE);
    table.append(el("span", { class: "hex-offset" }, (offset + at).toString(16).padStart(8, "0")), "  ");
    line.forEach((byte, index) => {
      const text = byte.toString(16).padStart(2, "0");
      const gap = index === BYTES_A_LINE / 2 - 1 ? "  " : " ";
      table.append(isRecord ? fieldByte(text, at + index) : text, gap);
    });
    const missing = BYTES_A_LINE - line.length;
    table.append(" ".repeat(missing * 3 + (missing > BYTES_A_LINE / 2 ? 1 : 0) + 1));
    table.append(el("span", { class: "hex-text" }, [...line].map(printable).join("")), "\n");
  }
  return table;
}

function fieldByte(text: string, at: number): Node | string {
  const field = FIELDS.findIndex(({ end }) => at < end);
  const name = FIELDS[field]?.name;
  if (name === undefined) return text;
  return el("span", { class: field % 2 === 0 ? "field-even" : "field-odd", title: name }, text);
}

function printable(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·";
}
