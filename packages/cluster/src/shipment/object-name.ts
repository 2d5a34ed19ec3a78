/** LSNs and times have up to 16 digits. */
const DIGITS = 16;
const EPOCH_DIGITS = 10;

/** A number such that names sort as numbers do. */
export function digits(value: number): string {
  return String(value).padStart(DIGITS, "0");
}

/** An epoch such that names sort as epochs do. */
export function epochDigits(epoch: number): string {
  return String(epoch).padStart(EPOCH_DIGITS, "0");
}

/** Any text as a part of a name: other characters become `=` and hex digits, so that no two texts are the same. */
export function namePart(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9-]/.test(character) ? character : `=${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
}
