import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ClusterEngine, directoryBlobStore, etcdLog } from "@kaya/cluster";
import { KayaError } from "@kaya/engine";
import type { NodeEvent, NodeOrder } from "./protocol.js";

/**
 * A process with one node of the cluster. It accepts writes by HTTP, like a service, and prints what its node sees. It does not know when
 * it will be killed, paused or cut off.
 */
const order = JSON.parse(process.argv[2] ?? "") as NodeOrder;

function tell(event: NodeEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    response.statusCode = KayaError.is(error, "KAYA_NOT_LEADER") ? 421 : 503;
    const { code = "?", message = "", leader } = error as Partial<KayaError>;
    response.end(JSON.stringify({ code, message, leader }));
  });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (db === undefined) throw new KayaError("KAYA_BUSY", "the node is not open yet");
  const url = new URL(request.url ?? "/", "http://node");
  if (url.pathname === "/put") {
    const { key, value } = Object.fromEntries(url.searchParams) as { key: string; value: string };
    await db.put(key, value);
    response.end("{}");
  } else if (url.pathname === "/entries") {
    await db.catchUp();
    for await (const { key, value } of db.scan({ prefix: "order:" }))
      if (!response.write(`${text(key)}\t${text(value)}\n`))
        await new Promise((resolve) => response.once("drain", resolve));
    response.end();
  } else {
    response.statusCode = 404;
    response.end("{}");
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

let db: ClusterEngine | undefined;
await new Promise<void>((resolve) => server.listen(order.port, "127.0.0.1", resolve));
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const node = await ClusterEngine.open({
  dataDir: order.dataDir,
  nodeId: order.id,
  address,
  role: "auto",
  log: etcdLog({ endpoints: order.endpoints, prefix: "/kaya-demo" }),
  blobStore: directoryBlobStore(order.blobs),
});
db = node;
const tellRole = () => tell({ type: "role", role: node.role, epoch: node.epoch, lsn: node.lsn });
tell({ type: "open", address, lsn: node.lsn });
tellRole();
node.on("role", tellRole);

// The parent closes this input to end the process in an orderly way.
process.stdin.resume().on("end", async () => {
  server.close();
  server.closeAllConnections();
  await node.close();
  process.exit();
});
