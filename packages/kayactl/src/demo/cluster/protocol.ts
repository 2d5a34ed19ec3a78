/** The argument of a process with a node. */
export interface NodeOrder {
  readonly id: string;
  readonly dataDir: string;
  /** The directory of the bases. */
  readonly blobs: string;
  /** The members of etcd. */
  readonly endpoints: readonly string[];
  /** The port; 0: any free one. */
  readonly port: number;
}

/** The events that such a process prints, one on each line. */
export type NodeEvent =
  | { readonly type: "open"; readonly address: string; readonly lsn: number }
  | { readonly type: "role"; readonly role: string; readonly epoch: number; readonly lsn: number };
