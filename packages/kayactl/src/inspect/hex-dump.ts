const BYTES_A_LINE = 16;

/** Lines of 16 bytes, as `hexdump -C` shows them. `offset` is where the bytes stand in their file. */
export function* hexDump(bytes: Uint8Array, offset: number): Generator<string> {
  for (let at = 0; at < bytes.length; at += BYTES_A_LINE) {
    const line = [...bytes.subarray(at, at + BYTES_A_LINE)];
    const halves = [line.slice(0, 8), line.slice(8)].map((half) => hexBytes(half).padEnd(23)).join("  ");
    yield `${(offset + at).toString(16).padStart(8, "0")}  ${halves}  |${line.map(printable).join("")}|`;
  }
}

/** `00 ff`. */
export function hexBytes(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function printable(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
}
