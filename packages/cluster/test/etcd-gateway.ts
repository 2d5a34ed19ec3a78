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

/** The fault of a transaction. `isDone`: whether etcd gets the transaction. `answer`: the answer that the client gets instead of etcd's. */
export interface TxnFault {
  readonly isDone: boolean;
  readonly answer: { readonly code: status; readonly details: string };
}

/** Forwards transactions to an etcd, and replaces some answers by those of states that a test cannot cause in a real etcd. */
export class EtcdGateway {
  /** Called for each transaction; undefined: no fault. */
  fault: (nth: number) => TxnFault | undefined = () => undefined;
  readonly #server = new Server();
  readonly #client: Client;
  #count = 0;

  /** @param target `host:port` of the member */
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
