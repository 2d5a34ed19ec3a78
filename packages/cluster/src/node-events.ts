import type { KayaError } from "@kaya/core";
import type { NodeRole } from "./channels.js";

/** The events of a node, with the arguments of their listeners. */
export interface ClusterEvents {
  /** The node has another role. */
  readonly role: readonly [role: NodeRole, before: NodeRole];
  /** Another node became the writer: its address (undefined if it gave none), its id, and its epoch. */
  readonly leader: readonly [address: string | undefined, nodeId: string, epoch: number];
  /**
   * A failure that is tried again, or that needs an operator. The message says which. While the log makes no progress, the same message
   * comes again only after a pause: `presenceMs` at first, then twice as long each time, up to 64 times `presenceMs`.
   */
  readonly trouble: readonly [error: KayaError];
}

type Listener<K extends keyof ClusterEvents> = (...args: ClusterEvents[K]) => void;

/** The listeners of a node. An error that a listener throws becomes an uncaught exception, and does not affect the node. */
export class NodeEvents {
  readonly #listeners = new Map<keyof ClusterEvents, Set<Listener<never>>>();

  on<K extends keyof ClusterEvents>(event: K, listener: Listener<K>): void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener as Listener<never>));
  }

  off<K extends keyof ClusterEvents>(event: K, listener: Listener<K>): void {
    this.#listeners.get(event)?.delete(listener as Listener<never>);
  }

  tell<K extends keyof ClusterEvents>(event: K, ...args: ClusterEvents[K]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        (listener as Listener<K>)(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
