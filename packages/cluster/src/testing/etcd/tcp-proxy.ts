import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * The mode of a `TcpProxy`. `pass`: it passes everything. `drop`: it passes nothing. `replies`: it passes requests, but no replies.
 * `refuse`: it refuses connections.
 */
export type ProxyMode = "pass" | "drop" | "replies" | "refuse";

/** A TCP proxy on the loopback interface that can lose data, to simulate a network partition. */
export class TcpProxy {
  /** The port on which it listens. It stays the same. */
  readonly port: number;
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #mode: ProxyMode = "pass";

  private constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
  }

  /** Listens on `port`, and forwards to `target`. */
  static async start(port: number, target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(port, target);
    await proxy.#listen();
    return proxy;
  }

  /** The current mode. */
  get mode(): ProxyMode {
    return this.#mode;
  }

  /** Changes the mode. When the proxy passes data again, it closes the connections that may have lost some. */
  async set(mode: ProxyMode): Promise<void> {
    const before = this.#mode;
    this.#mode = mode;
    if (mode === "refuse") await this.close();
    else if (this.#server === undefined) await this.#listen();
    if (mode === "pass" && before !== "pass") this.reset();
  }

  /** Ends all connections. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Closes all connections, and stops listening. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.reset();
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    this.reset();
    await closed;
  }

  async #listen(): Promise<void> {
    const server = createServer((socket) => this.#accept(socket));
    server.listen(this.port, "127.0.0.1");
    await once(server, "listening");
    this.#server = server;
  }

  #accept(near: Socket): void {
    const far = connect(this.#target, "127.0.0.1");
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {}); // "close" follows
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    near.on("data", (data) => this.#mode !== "drop" && far.write(data));
    far.on("data", (data) => this.#mode === "pass" && near.write(data));
  }
}
