// Who publishes Kaya, and from where: `.ci/identity.json` is the one place. This writes it into each package.json and into the pages that name
// an address; with `--check` it tells which of them differ.
//
//   repository  https://host/owner/name; from it come `repository`, `bugs` and, unless `homepage` is given, `homepage`
//   homepage    of the documentation
//   author      "Name <mail> (https://address)", as npm has it
//   security    where a vulnerability is reported, a mail address or a URL
//   conduct     where misconduct is reported, the same
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const FIELDS = ["repository", "homepage", "author", "security", "conduct"];
/** A release needs them. */
const REQUIRED = ["repository", "author", "security", "conduct"];
const OF_MANIFEST = ["repository", "bugs", "homepage", "author"];
const MARKED = /(<!-- identity: (\w+) -->\n).*?(<!-- \/identity -->)/gs;
const UNKNOWN =
  "The address is not known yet: it comes here from `.ci/identity.json` before the first release.";
const PAGES = ["SECURITY.md", "CODE_OF_CONDUCT.md"];

export function readIdentity(root) {
  const identity = JSON.parse(readFileSync(join(root, ".ci/identity.json"), "utf8"));
  const unknown = Object.keys(identity).filter((field) => !FIELDS.includes(field));
  if (unknown.length > 0) throw new Error(`.ci/identity.json has unknown fields: ${unknown.join(", ")}`);
  if (identity.repository && !/^https:\/\/[^/]+\/[^/]+\/[^/]+[^/.]$/.test(identity.repository))
    throw new Error(
      `.ci/identity.json: repository must be like https://host/owner/name, not ${identity.repository}`,
    );
  return identity;
}

/** One sentence where a release cannot be made of it; else undefined. */
export function whyNotReleasable(identity) {
  const missing = REQUIRED.filter((field) => !identity[field]);
  if (missing.length === 0) return undefined;
  return `.ci/identity.json has no ${missing.join(", no ")}: fill it in, run \`node .ci/release/identity.mjs\`, and commit what it changes.`;
}

/** What package.json has of it. Fields without a value are left out. */
export function manifestFields({ repository, homepage, author }, folder) {
  return {
    ...(repository && {
      repository: { type: "git", url: `git+${repository}.git`, directory: `packages/${folder}` },
      bugs: { url: `${repository}/issues` },
    }),
    ...((homepage || repository) && {
      homepage: homepage || `${repository}/tree/HEAD/packages/${folder}#readme`,
    }),
    ...(author && { author }),
  };
}

/** The text of a file that has them, as it must be. */
function withIdentity(identity, file, text) {
  if (!file.endsWith("package.json"))
    return text.replace(MARKED, (_all, begin, field, end) => `${begin}${identity[field] || UNKNOWN}\n${end}`);
  const folder = dirname(file).split("/").at(-1);
  // Behind the licence, where npm has them too.
  const entries = Object.entries(JSON.parse(text)).filter(([name]) => !OF_MANIFEST.includes(name));
  const place = entries.findIndex(([name]) => name === "license") + 1;
  entries.splice(place, 0, ...Object.entries(manifestFields(identity, folder)));
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}

/** Paths of the files that are not as they must be, with the text that they must have. */
export function staleFiles(root) {
  const identity = readIdentity(root);
  const manifests = readdirSync(join(root, "packages")).map((folder) => `packages/${folder}/package.json`);
  return [...manifests, ...PAGES]
    .filter((file) => existsSync(join(root, file)))
    .map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }))
    .map(({ file, text }) => ({ file, text, wanted: withIdentity(identity, file, text) }))
    .filter(({ text, wanted }) => text !== wanted);
}

function main(root, isCheck) {
  const stale = staleFiles(root);
  if (isCheck) {
    for (const { file } of stale)
      console.error(`${file} differs from .ci/identity.json: run node .ci/release/identity.mjs`);
    process.exitCode = stale.length === 0 ? 0 : 1;
    return;
  }
  for (const { file, wanted } of stale) writeFileSync(join(root, file), wanted);
  console.log(stale.length === 0 ? "all is as it was" : `wrote ${stale.map(({ file }) => file).join(", ")}`);
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] !== undefined && relative(process.argv[1], self) === "")
  main(join(dirname(self), "../.."), process.argv.includes("--check"));
