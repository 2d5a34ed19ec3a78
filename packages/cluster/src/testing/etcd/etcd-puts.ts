import { setMaxListeners } from "node:events";
import { EtcdClient } from "../../etcd/etcd-client.js";
import { checkEtcdOptions, type EtcdLogOptions } from "../../etcd/options.js";
import { RPC } from "../../etcd/protocol.js";

/** Writes single keys into etcd with the client of `etcdLog`: a program without Kaya would do the same. For comparison. */
export class EtcdPuts {
  readonly #client: EtcdClient;
  readonly #prefix: Buffer;

  /** @param options which etcd, and the prefix of the keys */
  constructor(options: EtcdLogOptions) {
    const settings = checkEtcdOptions(options);
    this.#client = new EtcdClient(settings);
    setMaxListeners(0, this.#client.closing); // each pending put adds a listener
    this.#prefix = Buffer.from(`${settings.prefix}/`);
  }

  /** Resolves when a majority has it on stable storage. */
  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    const requestPut = { key: Buffer.concat([this.#prefix, key]), value: Buffer.from(value) };
    await this.#client.write("a put", RPC.txn, { success: [{ requestPut }] });
  }

  /** Closes the connections. */
  close(): void {
    this.#client.close();
  }
}
