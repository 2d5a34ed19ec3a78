// A release from beginning to end: versions, changelogs, publishing into a registry on this machine, and a new user who installs from it.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { publicPackages, ROOT, readManifest, run } from "../packed/packages.mjs";
import { installedDirectories, packDirectories } from "../packed/project.mjs";
import { withAbsoluteLinks } from "./absolute-links.mjs";

const REPOSITORY = "https://example.org/somebody/kaya";
const IDENTITY = {
  repository: REPOSITORY,
  homepage: "",
  author: "Somebody <somebody@example.org>",
  security: "security@example.org",
  conduct: "conduct@example.org",
};

const work = mkdtempSync(join(tmpdir(), "kaya-release-"));
const copy = join(work, "repository");
const user = join(work, "user");
let registry;
let url;

/** What a command gives, run as on a machine whose only registry is that one. */
function start(command, args, cwd) {
  const env = {
    ...process.env,
    NODE_PATH: undefined,
    npm_config_userconfig: join(work, "npmrc"),
    npm_config_registry: url,
  };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  return { status, stdout, stderr };
}

function succeeds(command, args, cwd) {
  const { status, stdout, stderr } = start(command, args, cwd);
  assert.equal(status, 0, `${command} ${args.join(" ")}\n${stdout}\n${stderr}`);
  return stdout;
}

/** The files of this repository as they are now, and what was built and installed. */
function copyRepository() {
  const files = run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
  }).split("\0");
  for (const file of files.filter((name) => name !== "" && existsSync(join(ROOT, name)))) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(ROOT, file), join(copy, file));
  }
  const folders = readdirSync(join(ROOT, "packages")).map((name) => join("packages", name));
  for (const folder of folders)
    cpSync(join(ROOT, folder, "dist"), join(copy, folder, "dist"), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"), "junction");
  for (const folder of folders)
    linkModules(join(ROOT, folder, "node_modules"), join(copy, folder, "node_modules"));
  // Changesets asks git.
  succeeds("git", ["init", "-q"], copy);
}

/** Links to what is installed; but where that is a package of the repository, to that of the copy: pnpm looks there for its version. */
function linkModules(from, to) {
  mkdirSync(join(to, "@kaya"), { recursive: true });
  for (const name of readdirSync(from)) {
    if (name !== "@kaya") symlinkSync(join(from, name), join(to, name), "junction");
  }
  if (!existsSync(join(from, "@kaya"))) return;
  for (const name of readdirSync(join(from, "@kaya")))
    symlinkSync(join(copy, "packages", name), join(to, "@kaya", name), "junction");
}

/** Puts a tarball into the registry, as npm does. */
async function put(tarball) {
  const bytes = readFileSync(tarball);
  const text = run("tar", ["-xzOf", tarball, "package/package.json"]);
  const manifest = JSON.parse(text);
  const { name, version } = manifest;
  const file = `${name.split("/").at(-1)}-${version}.tgz`;
  const hash = (algorithm, encoding) => createHash(algorithm).update(bytes).digest(encoding);
  const dist = {
    tarball: `${url}${name}/-/${file}`,
    shasum: hash("sha1", "hex"),
    integrity: `sha512-${hash("sha512", "base64")}`,
  };
  const response = await fetch(url + name.replace("/", "%2f"), {
    method: "PUT",
    headers: { "content-type": "application/json", authorization: "Bearer anybody" },
    body: JSON.stringify({
      _id: name,
      name,
      "dist-tags": { latest: version },
      versions: { [version]: { ...manifest, _id: `${name}@${version}`, dist } },
      _attachments: {
        [file]: {
          content_type: "application/octet-stream",
          data: bytes.toString("base64"),
          length: bytes.length,
        },
      },
    }),
  });
  assert.ok(response.ok, `${name}: ${response.status} ${await response.text()}`);
}

beforeAll(async () => {
  mkdirSync(copy);
  mkdirSync(user);
  registry = spawn(process.execPath, [join(ROOT, ".ci/release/registry.mjs"), work], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  url = String((await once(registry.stdout, "data"))[0]).trim();
  const { host } = new URL(url);
  writeFileSync(
    join(work, "npmrc"),
    `//${host}/:_authToken=anybody\ncache=${join(work, "npm-cache")}\naudit=false\nfund=false\nupdate-notifier=false\n`,
  );
  copyRepository();
});

afterAll(async () => {
  registry.stdin.end();
  await once(registry, "exit");
  rmSync(work, { recursive: true });
});

describe("a release", () => {
  test("is refused in one sentence while the identity or the versions are missing", () => {
    const publish = () => start("node", [".ci/release/publish.mjs", "--check"], copy);
    writeFileSync(join(copy, ".ci/identity.json"), JSON.stringify({ ...IDENTITY, author: "" }));
    assert.match(publish().stderr, /^cannot release: \.ci\/identity\.json has no author: .*\n$/);
    writeFileSync(join(copy, ".ci/identity.json"), JSON.stringify(IDENTITY));
    assert.match(publish().stderr, /^cannot release: .*differ from \.ci\/identity\.json: run .*\n$/);
    succeeds("node", [".ci/release/identity.mjs"], copy);
    succeeds("node", [".ci/release/identity.mjs", "--check"], copy);
    assert.match(readFileSync(join(copy, "SECURITY.md"), "utf8"), /\nsecurity@example\.org\n/);
    const isReleased = readManifest(join(copy, "packages/core")).version !== "0.0.0";
    if (!isReleased)
      assert.match(publish().stderr, /^cannot release: the packages have version 0\.0\.0: .*\n$/);
    assert.equal(publish().status, isReleased ? 0 : 1);
  });

  test("has versions and changelogs from the changesets", () => {
    const hasChanges = readdirSync(join(copy, ".changeset")).some((file) => file.endsWith(".md"));
    if (hasChanges) succeeds("pnpm", ["run", "bump"], copy);
    const { version } = readManifest(join(copy, "packages/engine"));
    assert.notEqual(version, "0.0.0");
    for (const file of ["CHANGELOG.md", "packages/engine/CHANGELOG.md", "packages/core/CHANGELOG.md"])
      assert.match(readFileSync(join(copy, file), "utf8"), new RegExp(`^## ${version}$`, "m"), file);
    assert.match(readFileSync(join(copy, "CHANGELOG.md"), "utf8"), /^### @kaya\/engine\n\n- \w/m);
    succeeds("node", [".ci/release/publish.mjs", "--check"], copy);
  });

  test("puts each package into the registry, once, and tags it", async () => {
    const packed = join(work, "packed");
    mkdirSync(packed);
    const others = installedDirectories(publicPackages());
    await Promise.all(packDirectories(others, packed).map(put));
    const published = succeeds("node", [".ci/release/publish.mjs"], copy);
    const { version } = readManifest(join(copy, "packages/engine"));
    assert.match(published, new RegExp(`^published @kaya/engine ${version}$`, "m"));
    const again = succeeds("node", [".ci/release/publish.mjs"], copy);
    assert.match(again, new RegExp(`^@kaya/engine ${version} is there$`, "m"));
    assert.doesNotMatch(again, /published/);
    const author = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"];
    succeeds("git", ["add", "-A"], copy);
    succeeds("git", [...author, "commit", "-qm", "release"], copy);
    succeeds("pnpm", ["exec", "changeset", "tag"], copy);
    assert.match(succeeds("git", ["tag"], copy), new RegExp(`^@kaya/engine@${version}$`, "m"));
  });

  test("is installed by a new user, who runs the README's first program and kayactl", () => {
    succeeds("npm", ["install", "@kaya/engine", "@kaya/kayactl"], user);
    const [, program] = /^```ts\n(.*?)^```/ms.exec(readFileSync(join(ROOT, "README.md"), "utf8"));
    writeFileSync(join(user, "first.mjs"), program);
    assert.equal(succeeds("node", ["first.mjs"], user), "grace { name: 'Grace' }\n");
    assert.equal(succeeds("npx", ["kayactl", "scan"], user), 'user:grace\t{"name":"Grace"}\n');
    assert.match(succeeds("npx", ["kayactl", "verify"], user), /^CLEAN/);
  });

  test("has in each package whom it is from, a licence, a changelog, and no link that leads nowhere on npm", () => {
    const scope = join(user, "node_modules/@kaya");
    for (const folder of readdirSync(scope)) {
      const manifest = readManifest(join(scope, folder));
      assert.deepEqual(manifest.repository, {
        type: "git",
        url: `git+${REPOSITORY}.git`,
        directory: `packages/${folder}`,
      });
      assert.deepEqual(manifest.bugs, { url: `${REPOSITORY}/issues` });
      assert.equal(manifest.homepage, `${REPOSITORY}/tree/HEAD/packages/${folder}#readme`);
      assert.equal(
        typeof manifest.author === "string" ? manifest.author : manifest.author.name,
        IDENTITY.author,
      );
      const files = readdirSync(join(scope, folder));
      for (const file of ["LICENSE", "CHANGELOG.md", "README.md"])
        assert.ok(files.includes(file), `${folder}: ${file}`);
      for (const file of files.filter((name) => name.endsWith(".md"))) {
        const text = readFileSync(join(scope, folder, file), "utf8");
        assert.equal(withAbsoluteLinks(text, "", "relative"), text, `${folder}: ${file}`);
      }
    }
  });
});

test("links become absolute, but for anchors, addresses and code", () => {
  const text = "[a](../core/README.md#x) [b](#y) [c](https://z) ![d](d.svg) `[e](f)`\n```ts\n[g](h)\n```\n";
  assert.equal(
    withAbsoluteLinks(text, "packages/io", REPOSITORY),
    `[a](${REPOSITORY}/blob/HEAD/packages/core/README.md#x) [b](#y) [c](https://z) ![d](${REPOSITORY}/blob/HEAD/packages/io/d.svg) \`[e](f)\`\n\`\`\`ts\n[g](h)\n\`\`\`\n`,
  );
});
