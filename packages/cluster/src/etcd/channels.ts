import {
  Client,
  type ClientDuplexStream,
  connectivityState,
  credentials,
  type Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { KayaError } from "@kaya/core";
import { EtcdError, etcdErrorOf, isHandshakeFailure } from "./etcd-errors.js";
import type { EtcdSettings, EtcdTls } from "./options.js";
import type { Rpc } from "./protocol.js";
import { secured } from "./secured.js";

const OPTIONS = {
  // There is no limit for messages here: the client limits each answer in its requests.
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // gRPC makes one attempt for each call. The caller decides whether to repeat it.
  "grpc.enable_retries": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  // etcd closes a connection that pings more often than every five seconds.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 3000,
  "grpc.use_local_subchannel_pool": 1,
  // An entry has up to 1 MiB. With the default window of HTTP/2 (64 KiB), each entry would need many round trips.
  "grpc-node.flow_control_window": 4 * 1024 * 1024,
} as const;

const TOO_SLOW = "the connection was not ready in time";

/** The limits of a call. */
export interface CallLimits {
  /** The latest end of the call, by `performance.now()`. */
  readonly deadline: number;
  /** The latest moment at which the connection must be ready, by `performance.now()`. */
  readonly connectBy: number;
  readonly signal?: AbortSignal | undefined;
  readonly metadata: Metadata;
}

/** The connection to one member of etcd. */
export class Member {
  readonly address: string;
  readonly #client: Client;
  /** The reason of the last failed connection; undefined while the member can be reached. */
  #failure: string | undefined;

  constructor(address: string, tls: EtcdTls | undefined) {
    this.address = address;
    const { credentials: way, options } =
      tls === undefined ? { credentials: credentials.createInsecure(), options: {} } : secured(address, tls);
    this.#client = new Client(address, way, { ...OPTIONS, ...options });
  }

  /**
   * Makes one attempt. It sends nothing before the connection is ready. So the error says whether a member cannot be reached (nothing was
   * sent) or does not answer (unknown outcome).
   * @throws EtcdError
   */
  async call<Request, Response>(
    rpc: Rpc<Request, Response>,
    request: Request,
    limits: CallLimits,
  ): Promise<Response> {
    await this.#connect(limits);
    return await new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: Response) => {
        limits.signal?.removeEventListener("abort", cancel);
        if (error !== null) reject(etcdErrorOf(error, this.address));
        else resolve(response as Response);
      };
      const call = this.#client.makeUnaryRequest(
        rpc.path,
        rpc.requestSerialize,
        rpc.responseDeserialize,
        request,
        limits.metadata,
        { deadline: wallClock(limits.deadline) },
        done,
      );
      const cancel = () => call.cancel();
      limits.signal?.addEventListener("abort", cancel, { once: true });
      if (limits.signal?.aborted === true) cancel();
    });
  }

  /** Opens a stream. The caller ends it. @throws EtcdError */
  async stream<Request, Response>(
    rpc: Rpc<Request, Response>,
    limits: CallLimits,
  ): Promise<ClientDuplexStream<Request, Response>> {
    await this.#connect(limits);
    const stream = this.#client.makeBidiStreamRequest(
      rpc.path,
      rpc.requestSerialize,
      rpc.responseDeserialize,
      limits.metadata,
    );
    // If the caller aborted the call, it never gets the stream. Without a listener, an error of the stream would end the process.
    stream.on("error", () => {});
    if (limits.signal?.aborted === true) stream.cancel();
    return stream;
  }

  close(): void {
    this.#client.close();
  }

  async #connect(limits: CallLimits): Promise<void> {
    const channel = this.#client.getChannel();
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) {
        this.#failure = undefined;
        return;
      }
      if (state === connectivityState.TRANSIENT_FAILURE) throw await this.#whyUnreachable(limits);
      if (state === connectivityState.SHUTDOWN) throw this.#unsent("the connection is closed");
      if (limits.signal?.aborted === true) throw this.#unsent("the call was aborted");
      const hasChanged = await new Promise<boolean>((resolve) => {
        channel.watchConnectivityState(state, wallClock(limits.connectBy), (error) =>
          resolve(error === undefined),
        );
      });
      if (!hasChanged && performance.now() >= limits.connectBy - 1)
        throw this.#unsent(this.#failure ?? TOO_SLOW);
    }
  }

  // The state does not tell the reason. A call on a failed channel fails immediately with the reason, and sends nothing.
  #whyUnreachable(limits: CallLimits): Promise<EtcdError> {
    return new Promise((resolve) => {
      const done = (error: ServiceError | null) => {
        // The call ran out of time before it got a reason. The reason of the previous failure is more useful.
        const isLate = error?.code === status.DEADLINE_EXCEEDED;
        const text = isLate
          ? (this.#failure ?? TOO_SLOW)
          : plainText(error?.details ?? "it cannot be reached");
        this.#failure = text;
        resolve(isHandshakeFailure(text) ? new EtcdError("refused", this.address, text) : this.#unsent(text));
      };
      const nothing = () => Buffer.alloc(0);
      const deadline = wallClock(limits.connectBy);
      this.#client.makeUnaryRequest(
        "/etcdserverpb.KV/Range",
        nothing,
        () => undefined,
        undefined,
        { deadline },
        done,
      );
    });
  }

  #unsent(text: string): EtcdError {
    return new EtcdError("unsent", this.address, text);
  }
}

/**
 * Makes the connection object of each member. A connection is opened when it is first needed.
 * @throws KayaError KAYA_INVALID_ARGUMENT if a certificate cannot be read
 */
export function membersOf(settings: EtcdSettings): readonly Member[] {
  try {
    return settings.addresses.map((address) => new Member(address, settings.tls));
  } catch (cause) {
    throw new KayaError("KAYA_INVALID_ARGUMENT", `etcdLog: tls cannot be used: ${String(cause)}`, { cause });
  }
}

// gRPC breaks its messages into lines, and ends them with an empty note.
function plainText(details: string): string {
  return details.replace(/\.?\s*Resolution note:\s*$/, "").replace(/\s+/g, " ");
}

// gRPC takes a deadline as a time of day.
function wallClock(moment: number): number {
  return Date.now() + Math.max(1, moment - performance.now());
}
