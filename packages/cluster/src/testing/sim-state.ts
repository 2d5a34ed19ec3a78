import { KayaError } from "@kaya/core";
import type { ClusterClock } from "../clock.js";
import {
  appendedHead,
  checkBase,
  claimedHead,
  fenced,
  type StoredBase,
  truncated,
  unclaimed,
} from "../log-rules.js";
import type { LogBase, LogClaim, LogEntry, LogHead, LogPage, Members, NodeInfo } from "../shared-log.js";

interface LivingNode {
  readonly info: NodeInfo;
  /** The number of the announcement that it belongs to: an earlier announcement cannot renew it. */
  readonly announcement: number;
  readonly expiresAt: number;
  readonly timer: AbortController;
}

/** The state that the majority keeps. Each method is one transaction: it is done completely, or it throws and does nothing. */
export class SimState {
  readonly #name: string;
  readonly #clock: ClusterClock;
  readonly #logListeners = new Set<() => void>();
  readonly #memberListeners = new Set<() => void>();
  readonly #nodes = new Map<string, LivingNode>();
  #entries: LogEntry[] = [];
  #head: LogHead | undefined;
  #base: LogBase | undefined;
  #wanted: string | undefined;
  #revision = 0;
  #announcements = 0;
  /** True: there is room only for trims. */
  isFull = false;
  /** All entries that were ever appended, including trimmed ones. */
  readonly history: LogEntry[] = [];

  constructor(name: string, clock: ClusterClock) {
    this.#name = name;
    this.#clock = clock;
  }

  get head(): LogHead | undefined {
    return this.#head;
  }

  get base(): LogBase | undefined {
    return this.#base;
  }

  /** The entries that were not trimmed, oldest first. */
  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  claim(expected: LogHead | undefined, claim: LogClaim): LogHead {
    this.#needRoom();
    this.#compareHead(expected, "the claim");
    const head = { ...claimedHead(this.#head, claim), version: this.#nextVersion() };
    this.#head = head;
    if (this.#base !== undefined) this.#base = { ...this.#base, version: head.version };
    if (this.#wanted === claim.writer) this.#wanted = undefined;
    notify(this.#logListeners);
    notify(this.#memberListeners);
    return head;
  }

  append(expected: LogHead, entry: LogEntry): LogHead {
    this.#needRoom();
    this.#compareHead(expected, "the append");
    // The caller may reuse its bytes.
    const kept = { ...entry, bytes: entry.bytes.slice() };
    const head = { ...appendedHead(expected, entry), version: this.#nextVersion() };
    this.#entries.push(kept);
    this.history.push(kept);
    this.#head = head;
    notify(this.#logListeners);
    return head;
  }

  read(after: number, maxBytes: number): LogPage {
    const head = this.#head;
    if (head === undefined) throw unclaimed(this.#name);
    if (after >= head.lsn) return { entries: [], head };
    const first = this.#entries.findIndex((entry) => entry.lastLsn > after);
    const firstLsn = this.#entries[first]?.firstLsn;
    if (firstLsn === undefined || firstLsn > after + 1)
      throw truncated(this.#name, after, this.#entries[0]?.firstLsn, head);
    return { entries: this.#atMost(first, maxBytes), head };
  }

  setBase(expected: LogBase | undefined, next: StoredBase): LogBase {
    this.#needRoom();
    const head = this.#head;
    // Without a base there is no version that a claim could change. So the epoch of the writer is compared too.
    if (head === undefined || this.#base?.version !== expected?.version || next.epoch !== head.epoch)
      throw fenced(this.#name, `naming base ${next.name}`, head);
    checkBase(this.#name, expected, next, head);
    this.#base = { ...next, version: this.#nextVersion() };
    return this.#base;
  }

  trim(base: LogBase, through: number): void {
    if (this.#base?.version !== base.version) throw fenced(this.#name, "trimming", this.#head);
    this.trimForced(through);
  }

  /** Trims without any check, as a broken program or an operator could. */
  trimForced(through: number): void {
    this.#entries = this.#entries.filter((entry) => entry.lastLsn > through);
  }

  /** @returns the number of the announcement */
  announce(info: NodeInfo, ttlMs: number): number {
    this.#needRoom();
    const announcement = ++this.#announcements;
    this.#tell(info, ttlMs, announcement);
    return announcement;
  }

  renew(info: NodeInfo, ttlMs: number, announcement: number): void {
    if (this.#nodes.get(info.id)?.announcement !== announcement)
      throw new KayaError(
        "KAYA_NOT_FOUND",
        `${this.#name}: the presence of ${info.id} has expired: announce it again`,
      );
    this.#tell(info, ttlMs, announcement);
  }

  /** Ends a presence. Without an announcement: any presence of the node. */
  endPresence(id: string, announcement?: number): void {
    const node = this.#nodes.get(id);
    if (node === undefined || (announcement !== undefined && node.announcement !== announcement)) return;
    node.timer.abort();
    this.#nodes.delete(id);
    notify(this.#memberListeners);
  }

  get members(): Members {
    const now = this.#clock.now();
    const living = [...this.#nodes.values()].filter((node) => node.expiresAt > now);
    const nodes = living.map(({ info }) => info).sort((a, b) => (a.id < b.id ? -1 : 1));
    return { nodes, wanted: this.#wanted };
  }

  want(nodeId: string | undefined): void {
    if (nodeId !== undefined) this.#needRoom();
    this.#wanted = nodeId;
    notify(this.#memberListeners);
  }

  /** Adds a listener for changes of the head. @returns a function that removes it */
  onLog(listener: () => void): () => void {
    this.#logListeners.add(listener);
    return () => this.#logListeners.delete(listener);
  }

  /** Adds a listener for changes of the members. @returns a function that removes it */
  onMembers(listener: () => void): () => void {
    this.#memberListeners.add(listener);
    return () => this.#memberListeners.delete(listener);
  }

  #tell(info: NodeInfo, ttlMs: number, announcement: number): void {
    this.#nodes.get(info.id)?.timer.abort();
    const timer = new AbortController();
    this.#nodes.set(info.id, {
      info: { ...info },
      announcement,
      expiresAt: this.#clock.now() + ttlMs,
      timer,
    });
    void this.#clock.sleep(ttlMs, timer.signal).then(() => {
      if (!timer.signal.aborted) this.endPresence(info.id, announcement);
    });
    notify(this.#memberListeners);
  }

  #compareHead(expected: LogHead | undefined, doing: string): void {
    if (this.#head?.version !== expected?.version) throw fenced(this.#name, doing, this.#head);
  }

  #needRoom(): void {
    if (this.isFull)
      throw new KayaError("KAYA_DISK_FULL", `${this.#name}: no space is left. Nothing was written`);
  }

  #nextVersion(): string {
    return String(++this.#revision);
  }

  #atMost(first: number, maxBytes: number): LogEntry[] {
    const found: LogEntry[] = [];
    let bytes = 0;
    for (const entry of this.#entries.slice(first)) {
      bytes += entry.bytes.length;
      if (found.length > 0 && bytes > maxBytes) break;
      found.push({ ...entry, bytes: entry.bytes.slice() });
    }
    return found;
  }
}

// The set is copied, because a listener may add another one.
function notify(listeners: ReadonlySet<() => void>): void {
  for (const listener of [...listeners]) listener();
}
