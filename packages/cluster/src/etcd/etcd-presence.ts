import { KayaError, throwIfAborted } from "@kaya/core";
import { SYSTEM_CLOCK } from "../clock.js";
import type { CallOptions, NodeInfo, Presence } from "../shared-log.js";
import type { EtcdClient } from "./etcd-client.js";
import { diskFull, EtcdError, etcdErrorOf, noMajority } from "./etcd-errors.js";
import { watchKeys } from "./etcd-watch.js";
import type { EtcdKeys } from "./keys.js";
import { type LeaseResponse, RPC } from "./protocol.js";
import { encodeNode } from "./values.js";

const RETRY_MS = 250;
// After this time without an event, the members are read again: a watch may have lost its member. An extra read does no harm.
const SILENCE_MS = 5000;

/**
 * The key of a node, under a lease of etcd. etcd grants leases in whole seconds. The shortest lease is one and a half election timeouts (2
 * s with etcd's defaults).
 */
export class EtcdPresence implements Presence {
  readonly #name: string;
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #lease: string;
  #told: Buffer;

  private constructor(name: string, client: EtcdClient, keys: EtcdKeys, lease: string, told: Buffer) {
    this.#name = name;
    this.#client = client;
    this.#keys = keys;
    this.#lease = lease;
    this.#told = told;
  }

  static async announce(
    name: string,
    client: EtcdClient,
    keys: EtcdKeys,
    node: NodeInfo,
    ttlMs: number,
    options: CallOptions | undefined,
  ): Promise<EtcdPresence> {
    const value = encodeNode(node);
    try {
      const TTL = Math.ceil(ttlMs / 1000);
      const { ID } = await client.write("announcing", RPC.leaseGrant, { TTL }, options);
      const put = { requestPut: { key: keys.node(node.id), value, lease: ID } };
      await client.write("announcing", RPC.txn, { success: [put] }, options);
      return new EtcdPresence(name, client, keys, ID, value);
    } catch (error) {
      throw explained(name, error);
    }
  }

  async renew(node: NodeInfo, options?: CallOptions): Promise<void> {
    const { TTL } = await this.#keepAlive(options);
    if (Number(TTL) <= 0) throw ranOut(this.#name, node.id);
    const value = encodeNode(node);
    if (value.equals(this.#told)) return;
    const key = this.#keys.node(node.id);
    const request = {
      // The lease is another one if the same node announced itself again.
      compare: [{ target: 4, key, lease: this.#lease } as const],
      success: [{ requestPut: { key, value, lease: this.#lease } }],
    };
    try {
      const { succeeded } = await this.#client.write("renewing", RPC.txn, request, options);
      if (!succeeded) throw ranOut(this.#name, node.id);
      this.#told = value;
    } catch (error) {
      throw error instanceof EtcdError && error.outcome === "leaseNotFound"
        ? ranOut(this.#name, node.id)
        : explained(this.#name, error);
    }
  }

  async end(options?: CallOptions): Promise<void> {
    try {
      await this.#client.write("ending the presence", RPC.leaseRevoke, { ID: this.#lease }, options);
    } catch (error) {
      // The lease has expired already.
      if (!(error instanceof EtcdError && error.outcome === "leaseNotFound"))
        throw explained(this.#name, error);
    }
  }

  async #keepAlive(options: CallOptions | undefined): Promise<LeaseResponse> {
    const limit = AbortSignal.timeout(this.#client.timeoutMs);
    const stream = await this.#client.stream("renewing", RPC.leaseKeepAlive, options);
    const cancel = () => stream.cancel();
    limit.addEventListener("abort", cancel, { once: true });
    options?.signal?.addEventListener("abort", cancel, { once: true });
    if (limit.aborted || options?.signal?.aborted === true) cancel(); // opening the stream took all the time
    try {
      return await new Promise<LeaseResponse>((resolve, reject) => {
        stream.on("data", resolve);
        stream.on("error", (error) => reject(etcdErrorOf(error, stream.getPeer())));
        stream.on("end", () => reject(new Error("the member ended the stream")));
        stream.write({ ID: this.#lease });
      });
    } catch (error) {
      this.#client.rotate(); // also if the caller gave up: the member was slow
      throwIfAborted(options?.signal);
      throw noMajority(this.#name, "renewing the presence", error);
    } finally {
      limit.removeEventListener("abort", cancel);
      options?.signal?.removeEventListener("abort", cancel);
      stream.cancel();
    }
  }
}

/** Implements `SharedLog.watchMembers`. */
export function watchMembers(
  client: EtcdClient,
  keys: EtcdKeys,
  onChange: () => void,
  given: AbortSignal,
): void {
  const signal = AbortSignal.any([given, client.closing]);
  void watchOn(client, keys, onChange, signal);
  void callWhenSilent(onChange, signal);
}

async function watchOn(client: EtcdClient, keys: EtcdKeys, onChange: () => void, signal: AbortSignal) {
  const range = { key: keys.nodes, rangeEnd: keys.wantedEnd };
  while (!signal.aborted) {
    try {
      const watch = await watchKeys(client, range, signal);
      // Reports the changes that came before this watch began.
      onChange();
      for await (const _ of watch) onChange();
    } catch {
      // The error is ignored here: the caller asks `members` after each call, and gets the error there.
      if (!signal.aborted) client.rotate();
    }
    await SYSTEM_CLOCK.sleep(RETRY_MS, signal);
  }
}

async function callWhenSilent(onChange: () => void, signal: AbortSignal) {
  for (;;) {
    await SYSTEM_CLOCK.sleep(SILENCE_MS, signal);
    if (signal.aborted) return;
    onChange();
  }
}

function ranOut(name: string, id: string): KayaError {
  return new KayaError(
    "KAYA_NOT_FOUND",
    `${name}: the presence of node ${id} has expired: announce it again`,
  );
}

function explained(name: string, error: unknown): unknown {
  if (!(error instanceof EtcdError)) return error;
  if (error.outcome === "noSpace") return diskFull(name, "announcing", error);
  return noMajority(name, "announcing", error);
}
