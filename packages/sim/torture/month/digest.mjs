import { createHash } from "node:crypto";

/**
 * Of what a store holds, so that two processes can compare it.
 * @param {import("@kaya/engine").Scan} scan
 */
export async function digestOfScan(scan) {
  const hash = createHash("sha1");
  let entries = 0;
  for await (const page of scan.pages(1000)) {
    entries += page.length;
    for (const { key, value } of page) hash.update(lengths(key, value)).update(key).update(value);
  }
  return { entries, digest: hash.digest("hex") };
}

/**
 * The same of what it must hold.
 * @param {ReadonlyMap<string, string>} contents whose keys are ASCII, so that they sort as bytes do
 */
export function digestOfContents(contents) {
  const hash = createHash("sha1");
  for (const key of [...contents.keys()].sort()) {
    const value = contents.get(key) ?? "";
    hash.update(lengths(key, value)).update(key).update(value);
  }
  return { entries: contents.size, digest: hash.digest("hex") };
}

/**
 * @param {{ length: number }} key
 * @param {{ length: number }} value
 */
function lengths(key, value) {
  return `${key.length} ${value.length} `;
}
