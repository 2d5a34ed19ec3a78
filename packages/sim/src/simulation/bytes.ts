/** Keys and values are text in traces and in the model, one character a byte: it sorts and compares as the bytes do. */
export function toBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

export function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** For messages: unprintable bytes as `\xNN`, long text cut. */
export function quote(text: string | undefined): string {
  if (text === undefined) return "nothing";
  const shown = text.length > 40 ? `${text.slice(0, 40)}…(${text.length})` : text;
  return JSON.stringify(shown);
}

/**
 * The value of a write, no other write's: its id, then binary filler that depends on it. Only a value too short for its
 * id may equal another one.
 */
export function textOfValue(id: string, length: number): string {
  const start = `${id}:`;
  if (start.length >= length) return start.slice(0, length);
  const seed = Number.parseInt(id, 10);
  const filler = new Uint8Array(length - start.length);
  for (let i = 0; i < filler.length; i++) filler[i] = seed * 31 + i * 7;
  return start + toText(filler);
}
