import { once } from "node:events";
import { createServer } from "node:net";

// These ports are below those of outgoing connections. So the port of a stopped member stays free.
const FIRST = 20_000;
const COUNT = 12_000;

/** Ports of the loopback interface on which no process listened a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false; // another process listens
  }
  server.close();
  await once(server, "close");
  return true;
}
