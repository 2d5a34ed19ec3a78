/** The key whose value is the time of its put, in milliseconds since 1970. */
export const STAMP = new TextEncoder().encode("stamp");
