import { setMaxListeners } from "node:events";
import { EtcdClient } from "../../etcd/etcd-client.js";
import { checkEtcdOptions, type EtcdLogOptions } from "../../etcd/options.js";
import { RPC } from "../../etcd/protocol.js";

/** Single keys in etcd, by the client of `etcdLog`: what a program does without Kaya, for comparison. */
export class EtcdPuts {
  readonly #client: EtcdClient;
  readonly #prefix: Buffer;

  /** @param options which etcd, and below which prefix */
  constructor(options: EtcdLogOptions) {
    const settings = checkEtcdOptions(options);
    this.#client = new EtcdClient(settings);
    setMaxListeners(0, this.#client.closing); // each put under way listens
    this.#prefix = Buffer.from(`${settings.prefix}/`);
  }

  /** Resolves when a majority has it on stable storage. */
  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    const requestPut = { key: Buffer.concat([this.#prefix, key]), value: Buffer.from(value) };
    await this.#client.write("a put", RPC.txn, { success: [{ requestPut }] });
  }

  /** Ends the connections. */
  close(): void {
    this.#client.close();
  }
}
