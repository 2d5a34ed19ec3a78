/** A key or value from text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text of a key or value. */
export function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}
