/** What a process with a node is started with. */
export interface NodeOrder {
  readonly id: string;
  readonly dataDir: string;
  /** Where the bases are. */
  readonly blobs: string;
  /** The members of etcd. */
  readonly endpoints: readonly string[];
  /** 0: any that is free. */
  readonly port: number;
}

/** What such a process tells, a line each. */
export type NodeEvent =
  | { readonly type: "open"; readonly address: string; readonly lsn: number }
  | { readonly type: "role"; readonly role: string; readonly epoch: number; readonly lsn: number };
