import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServiceError,
  type status,
} from "@grpc/grpc-js";

const TXN = "/etcdserverpb.KV/Txn";
const same = (bytes: Buffer) => bytes;

/** What happens to a transaction: `isDone` says whether etcd gets it, `answer` what the client gets instead of etcd's answer. */
export interface TxnFault {
  readonly isDone: boolean;
  readonly answer: { readonly code: status; readonly details: string };
}

/** Passes transactions on to an etcd, and answers some of them otherwise: as etcd does in states that a test cannot bring about at will. */
export class EtcdGateway {
  /** Asked for each transaction; undefined: nothing goes wrong. */
  fault: (nth: number) => TxnFault | undefined = () => undefined;
  readonly #server = new Server();
  readonly #client: Client;
  #count = 0;

  /** @param target `host:port` of a member */
  constructor(target: string) {
    this.#client = new Client(target, credentials.createInsecure());
    const definition = {
      path: TXN,
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    };
    this.#server.addService(
      { Txn: definition },
      {
        Txn: (
          call: { request: Buffer },
          callback: (error: Partial<ServiceError> | null, answer?: Buffer) => void,
        ) => {
          const fault = this.fault(++this.#count);
          if (fault?.isDone === false) return callback(fault.answer);
          this.#client.makeUnaryRequest(TXN, same, same, call.request, (error, answer) => {
            if (fault === undefined) callback(error, answer);
            else callback(fault.answer);
          });
        },
      },
    );
  }

  /** @returns the endpoint for `etcdLog` */
  listen(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(`http://127.0.0.1:${port}`);
        else reject(error);
      });
    });
  }

  close(): void {
    this.#server.forceShutdown();
    this.#client.close();
  }
}
