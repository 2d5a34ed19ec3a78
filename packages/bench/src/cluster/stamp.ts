/** The key whose value is the moment of its put, in milliseconds since 1970. */
export const STAMP = new TextEncoder().encode("stamp");
