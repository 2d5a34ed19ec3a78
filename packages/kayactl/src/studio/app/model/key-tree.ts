import { signal } from "@preact/signals";
import type { Base64Url, Change, TreeNode } from "../../api.js";
import { fromBase64Url, startsWith, toBase64Url } from "../lib/bytes.js";
import { getTree } from "../lib/client.js";
import { changesKey } from "./key-bounds.js";
import { whenFollowed } from "./live.js";

const LEVEL_NODES = 500;

interface Level {
  nodes: TreeNode[];
  next: Base64Url | undefined;
  isComplete: boolean;
  /** While its next nodes are read. */
  loading: Promise<void> | undefined;
  error: unknown;
  /** The keys and prefixes of `nodes`. */
  readonly ids: Set<Base64Url>;
}

/** A line of the tree as it is shown. `depth` from 0, `position` from 1 among its siblings. */
export interface TreeRow {
  readonly id: string;
  readonly depth: number;
  readonly parent: Base64Url;
  readonly position: number;
  readonly siblings: number;
  readonly what:
    | { readonly kind: "group"; readonly prefix: Base64Url; readonly isOpen: boolean }
    | { readonly kind: "key"; readonly key: Base64Url }
    | { readonly kind: "more" }
    | { readonly kind: "empty" }
    | { readonly kind: "error"; readonly error: unknown };
}

/** The keys below a prefix as a tree: a level is read when its group is opened, and so far as it is scrolled to. */
export class KeyTree {
  readonly version = signal(0);
  readonly missed = signal(0);
  /** Set where changes were missed, so that it is not known how many. */
  readonly isOld = signal(false);
  /** Keys that were deleted since they were read. */
  readonly gone = new Set<Base64Url>();
  readonly root: Base64Url;
  readonly #delimiter: Base64Url;
  readonly #levels = new Map<Base64Url, Level>();
  readonly #open: Set<Base64Url>;
  readonly #aborter = new AbortController();
  /** Until a level changes. */
  #rows: readonly TreeRow[] | undefined;

  /** @param open the groups that are open from the beginning */
  constructor(root: Base64Url, delimiter: Base64Url, open: ReadonlySet<Base64Url> = new Set()) {
    this.root = root;
    this.#delimiter = delimiter;
    this.#open = new Set([...open, root]);
    void this.loadMore(root);
  }

  get open(): ReadonlySet<Base64Url> {
    return this.#open;
  }

  close(): void {
    this.#aborter.abort();
  }

  get rows(): readonly TreeRow[] {
    if (this.#rows === undefined) {
      const rows: TreeRow[] = [];
      this.#addLevel(this.root, 0, rows);
      this.#rows = rows;
    }
    return this.#rows;
  }

  /** Nothing is below the root. */
  get isEmpty(): boolean {
    const level = this.#levels.get(this.root);
    return level?.isComplete === true && level.nodes.length === 0;
  }

  /** Groups at the top, so far as they are read. */
  get groups(): number {
    return this.#top.filter(({ kind }) => kind === "group").length;
  }

  get keys(): number {
    return this.#top.length - this.groups;
  }

  /** The top is read whole. */
  get isWhole(): boolean {
    return this.#levels.get(this.root)?.isComplete === true;
  }

  get #top(): readonly TreeNode[] {
    return this.#levels.get(this.root)?.nodes ?? [];
  }

  get isLoaded(): boolean {
    const level = this.#levels.get(this.root);
    return level !== undefined && (level.nodes.length > 0 || level.isComplete || level.error !== undefined);
  }

  setOpen(prefix: Base64Url, isOpen: boolean): void {
    if (isOpen) this.#open.add(prefix);
    else this.#open.delete(prefix);
    if (isOpen && !this.#levels.has(prefix)) void this.loadMore(prefix);
    this.#changed();
  }

  /** Opens what leads to a key, so far as it is read. */
  async reveal(key: Base64Url): Promise<void> {
    const bytes = fromBase64Url(key);
    let at = this.root;
    for (;;) {
      if ((this.#levels.get(at)?.nodes.length ?? 0) === 0) await this.loadMore(at);
      const group = this.#levels
        .get(at)
        ?.nodes.find((node) => node.kind === "group" && startsWith(bytes, fromBase64Url(node.prefix)));
      if (group?.kind !== "group" || group.prefix === at) return;
      at = group.prefix;
      this.#open.add(at);
      this.#changed();
    }
  }

  /** Reads the next nodes of a level. */
  loadMore(prefix: Base64Url): Promise<void> {
    const level = this.#levels.get(prefix) ?? newLevel();
    this.#levels.set(prefix, level);
    if (level.isComplete) return Promise.resolve();
    level.loading ??= this.#read(prefix, level);
    return level.loading;
  }

  /** The connection was lost and is there again. Levels that could not be read are read. */
  reconnected(): void {
    for (const [prefix, { nodes, error }] of this.#levels) {
      if (nodes.length > 0) this.isOld.value = true;
      if (error !== undefined) void this.loadMore(prefix);
    }
  }

  async #read(prefix: Base64Url, level: Level): Promise<void> {
    level.error = undefined;
    await whenFollowed();
    try {
      const { nodes, next } = await getTree(
        { prefix, delimiter: this.#delimiter, after: level.next, limit: LEVEL_NODES },
        this.#aborter.signal,
      );
      for (const node of nodes) {
        level.nodes.push(node);
        level.ids.add(node.kind === "key" ? node.key : node.prefix);
      }
      level.next = next;
      level.isComplete = next === undefined;
    } catch (error) {
      if (this.#aborter.signal.aborted) return;
      level.error = error;
    }
    level.loading = undefined;
    this.#changed();
  }

  /** Counts the changes that the tree as it stands does not show: a key that came, one that went. */
  apply(batch: readonly Change[], skipped = 0): void {
    let missed = skipped;
    for (const change of batch) {
      const { kind, key } = change;
      if (kind === "put") {
        this.gone.delete(key);
        if (!this.#shows(fromBase64Url(key), key)) missed++;
      } else if (kind === "deleteRange") {
        missed++;
        for (const read of this.#keys()) if (changesKey(change, fromBase64Url(read))) this.gone.add(read);
      } else if (this.#has(key)) {
        missed++;
        this.gone.add(key);
      }
    }
    this.missed.value += missed;
  }

  #keys(): Base64Url[] {
    const nodes = [...this.#levels.values()].flatMap((level) => level.nodes);
    return nodes.flatMap((node) => (node.kind === "key" ? [node.key] : []));
  }

  #has(key: Base64Url): boolean {
    return [...this.#levels.values()].some(({ ids }) => ids.has(key));
  }

  #shows(bytes: Uint8Array, key: Base64Url): boolean {
    let prefix = this.root;
    for (;;) {
      const level = this.#levels.get(prefix);
      // Of a level that is closed, or not read so far, nothing is shown that could be missing.
      if (level === undefined || !level.isComplete || level.ids.has(key)) return true;
      const from = fromBase64Url(prefix).length;
      const at = bytes.indexOf(fromBase64Url(this.#delimiter)[0] ?? -1, from);
      if (at === -1) return false;
      const group = toBase64Url(bytes.subarray(0, at + 1));
      if (!level.ids.has(group)) return false;
      prefix = group;
    }
  }

  #addLevel(prefix: Base64Url, depth: number, rows: TreeRow[]): void {
    const level = this.#levels.get(prefix);
    const nodes = level?.nodes ?? [];
    const hasMore = level?.isComplete !== true;
    const siblings = hasMore ? -1 : nodes.length;
    const common = { depth, parent: prefix, siblings };
    for (const [index, node] of nodes.entries()) {
      const position = index + 1;
      if (node.kind === "key") {
        rows.push({ ...common, position, id: `key-${node.key}`, what: node });
        continue;
      }
      const isOpen = this.#open.has(node.prefix);
      rows.push({ ...common, position, id: `group-${node.prefix}`, what: { ...node, isOpen } });
      if (isOpen) this.#addLevel(node.prefix, depth + 1, rows);
    }
    const last = { ...common, position: nodes.length + 1, id: `more-${prefix}` };
    if (level?.error !== undefined) rows.push({ ...last, what: { kind: "error", error: level.error } });
    else if (hasMore) rows.push({ ...last, what: { kind: "more" } });
    else if (nodes.length === 0 && depth > 0) rows.push({ ...last, what: { kind: "empty" } });
  }

  #changed(): void {
    this.#rows = undefined;
    this.version.value++;
  }
}

function newLevel(): Level {
  return {
    nodes: [],
    next: undefined,
    isComplete: false,
    loading: undefined,
    error: undefined,
    ids: new Set(),
  };
}
