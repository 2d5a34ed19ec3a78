import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** A token has no meaning and cannot be guessed: 256 random bits. */
const TOKEN_BYTES = 32;
const PATH_BYTES = 16;

/** One browser more takes the place of the first. */
const MOST_SESSIONS = 16;

/** The browsers that have access: one brings the token, which is good once, and gets a cookie. */
export class Sessions {
  readonly #onToken: (token: string) => void;
  /** The digest of the token that is good once; undefined once it was used. */
  #token: Buffer | undefined;
  /** Digests of the cookies, oldest first. */
  readonly #cookies: Buffer[] = [];

  /** @param onToken called with each new token. Only the user who started the program may see it. */
  constructor(onToken: (token: string) => void) {
    this.#onToken = onToken;
  }

  /** Makes a token if there is none: there is never more than one. */
  offer(): void {
    if (this.#token !== undefined) return;
    const token = randomText();
    this.#token = digest(token);
    this.#onToken(token);
  }

  /** The value of a new cookie for a good token, which is dead from then on; undefined for any other. */
  exchange(token: string): string | undefined {
    if (this.#token === undefined || !isSame(this.#token, token)) return undefined;
    this.#token = undefined;
    const cookie = randomText();
    this.#cookies.push(digest(cookie));
    if (this.#cookies.length > MOST_SESSIONS) this.#cookies.shift();
    return cookie;
  }

  isKnown(cookie: string | undefined): boolean {
    if (cookie === undefined) return false;
    // All of them are compared, so that the time tells nothing.
    return this.#cookies.map((known) => isSame(known, cookie)).includes(true);
  }
}

function randomText(bytes = TOKEN_BYTES): string {
  return randomBytes(bytes).toString("base64url");
}

/** The digest is kept, so that a dump of the memory gives no access. All digests have one length, which a comparison in constant time needs. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function isSame(known: Buffer, given: string): boolean {
  return timingSafeEqual(known, digest(given));
}

/**
 * A path that cannot be guessed, for the page, its API and the cookie. A browser sends a cookie of 127.0.0.1 to every port, so to the servers of
 * other users too, but only below its path.
 */
export function randomPath(): string {
  return `/${randomText(PATH_BYTES)}/`;
}

export const COOKIE = "kaya_studio";

/** The value of a cookie; undefined if it is absent, or given twice. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  const values = (header ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`));
  return values.length === 1 ? values[0]?.slice(name.length + 1) : undefined;
}
