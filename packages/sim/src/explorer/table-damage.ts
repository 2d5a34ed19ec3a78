import { KayaError, type PartialEngineConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { inspectManifest } from "@kaya/lsm";
import type { Check } from "./check-run.js";
import { engineCheck } from "./engine-check.js";
import { type Contents, checkContents, contentsOf, type EngineWrite } from "./engine-write.js";
import { openEngine } from "./open-engine.js";
import { mustRefuse } from "./refusal.js";

type Damage = readonly [what: string, damage: (disk: SimDisk) => void];

/** Every crash state opens. After a clean close, damage in its manifest and tables is refused, and nothing is changed. */
export function tableDamageCheck(config: PartialEngineConfig): Check<EngineWrite> {
  const checkIntact = engineCheck(config);
  // The files count, not the note in LOCK.
  const unlocked = { ...config, disableLocking: true };
  return async (disk, view, recovered) => {
    const closed = disk.fork();
    const engine = await openEngine(config, closed);
    const contents = await contentsOf(engine);
    await engine.close();
    for (const [what, damage] of await damagesOf(closed)) {
      const fork = closed.fork();
      damage(fork);
      await mustRefuse(fork, (damaged) => openEngine(unlocked, damaged), "KAYA_CORRUPTION", what);
    }
    await mustNotLoseAnEdit(unlocked, closed, contents);
    await checkIntact(disk, view, recovered);
  };
}

/** Each must be refused. */
async function damagesOf(disk: SimDisk): Promise<Damage[]> {
  const tables = await disk.list("sst");
  const manifest = await manifestOf(disk);
  const damages: Damage[] = [
    [`a flipped bit in the beginning of ${manifest}`, (fork) => fork.flipBit(manifest, 60, 3)],
    [`${manifest} without its beginning`, (fork) => fork.truncateDurably(manifest, 30)],
  ];
  for (const { path, length } of tables) {
    damages.push(
      [`without ${path}`, (fork) => fork.removeDurably(path)],
      [`${path} without its last byte`, (fork) => fork.truncateDurably(path, length - 1)],
      [`a flipped bit in the footer of ${path}`, (fork) => fork.flipBit(path, length - 20, 1)],
    );
  }
  if (tables.length > 0) {
    damages.push([`without ${manifest}`, (fork) => fork.removeDurably(manifest)]);
    damages.push([
      `without ${manifest}, and without all tables`,
      (fork) => {
        for (const { path } of [...tables, { path: manifest }]) fork.removeDurably(path);
      },
    ]);
  }
  return damages;
}

/** The last edit looks torn then. The log no longer has what it covered, so the store shows the same without it, or is refused. */
async function mustNotLoseAnEdit(
  config: PartialEngineConfig,
  disk: SimDisk,
  contents: Contents,
): Promise<void> {
  const manifest = await manifestOf(disk);
  const { rows } = await inspectManifest(disk, manifest);
  const last = rows.at(-1);
  if (last === undefined || rows.length < 2) return;
  const fork = disk.fork();
  fork.flipBit(manifest, last.offset + 50, 0);
  try {
    const engine = await openEngine(config, fork);
    checkContents(await contentsOf(engine), contents, "without the last edit of the manifest");
    await engine.close();
  } catch (error) {
    if (!KayaError.is(error, "KAYA_CORRUPTION")) throw error;
  }
}

/** Of a store that is closed, which has one. */
async function manifestOf(disk: SimDisk): Promise<string> {
  const [manifest] = await disk.list("manifest");
  if (manifest === undefined) throw new Error("a store is closed, and has no manifest");
  return manifest.path;
}
