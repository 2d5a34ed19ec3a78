import { KayaError } from "@kaya/core";
import type { CrashDecision, CrashItem, CrashOutcome, CrashReportItem } from "./crash.js";
import { dataItem, entryItem } from "./crash-items.js";
import type { GrowableBytes } from "./growable-bytes.js";
import type { Random } from "./random.js";
import { SimDirectory } from "./sim-directory.js";
import { apply, type DataOperation, type SimInode } from "./sim-inode.js";
import { applyTorn } from "./torn-write.js";

/**
 * Crashes everything below `root`. It goes from the root down along surviving names: a file with only a lost name is gone and needs no decision.
 */
export function crashTree(root: SimDirectory, decide: CrashDecision, random: Random): CrashReportItem[] {
  const crash = new TreeCrash(decide, random);
  crash.directory(root, "");
  return crash.items;
}

class TreeCrash {
  readonly items: CrashReportItem[] = [];
  readonly #decide: CrashDecision;
  readonly #random: Random;
  readonly #done = new Set<SimInode>(); // a half-done rename between directories leaves a file under two names

  constructor(decide: CrashDecision, random: Random) {
    this.#decide = decide;
    this.#random = random;
  }

  directory(directory: SimDirectory, path: string): void {
    const pathOf = (name: string) => (path === "" ? name : `${path}/${name}`);
    directory.crash((operation) => this.#decideOn(entryItem(operation, pathOf)) === "kept");
    const names = [...directory.live].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, node] of names) {
      if (node instanceof SimDirectory) this.directory(node, pathOf(name));
      else this.#file(node, pathOf(name));
    }
  }

  #file(inode: SimInode, path: string): void {
    if (this.#done.has(inode)) return;
    this.#done.add(inode);
    inode.crash((operation, stable) => this.#settle(operation, stable, path));
  }

  #settle(operation: DataOperation, stable: GrowableBytes, path: string): void {
    const outcome = this.#decideOn(dataItem(operation, path, stable.length));
    if (outcome === "lost") return;
    if (outcome === "kept") apply(operation, stable);
    else if (operation.kind === "write") applyTorn(operation, outcome, stable, this.#random);
  }

  #decideOn(item: CrashItem): CrashOutcome {
    const outcome = this.#decide(item);
    if (outcome === "kept" || outcome === "lost") {
      this.items.push({ path: item.path, kind: item.kind, outcome, item });
      return outcome;
    }
    if (item.kind !== "write") {
      throw new KayaError("KAYA_INVALID_ARGUMENT", `${item.kind} ${item.path}: only a write can be torn`);
    }
    this.items.push({ path: item.path, kind: item.kind, outcome: "torn", item, torn: outcome });
    return outcome;
  }
}
