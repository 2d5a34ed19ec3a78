/** A number that stands for everything that happened in a run: two runs that are alike have the same (FNV-1a, 2 x 32 bits). */
export class Digest {
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;

  add(text: string): void {
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
    this.#mix(0x100); // no character: two texts differ from their concatenation
  }

  toString(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #mix(code: number): void {
    this.#low = Math.imul(this.#low ^ code, 0x01000193);
    this.#high = Math.imul(this.#high ^ code ^ (this.#low >>> 15), 0x01000193);
  }
}
