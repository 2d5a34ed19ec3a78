import { mkdtemp, rm } from "node:fs/promises";
import { request as plainRequest } from "node:http";
import { type RequestOptions, request as secureRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EtcdLogOptions } from "../../etcd/options.js";
import { makeCertificates, type TestCertificates } from "./certificates.js";
import { EtcdProcess, findProgram } from "./etcd-process.js";
import { freePorts } from "./ports.js";
import { TcpProxy } from "./tcp-proxy.js";

const STARTS = 5;
const POLL_MS = 50;
const PATIENCE_MS = 120_000;

/** The settings of `startEtcd`. */
export interface StartEtcdOptions {
  /** The number of members. Default 3. */
  readonly members?: number;
  /** The largest size of the database in bytes (`--quota-backend-bytes`). Default: etcd's own, 2 GiB. */
  readonly quotaBytes?: number;
  /** True: clients need TLS and a certificate. Needs the `openssl` program. */
  readonly tls?: boolean;
  /** Users in addition to root, each with read and write permission for a prefix. Clients then need a password. */
  readonly users?: readonly { readonly name: string; readonly password: string; readonly prefix: string }[];
}

/** One member of etcd. */
export class EtcdMember {
  /** Its name in etcd. */
  readonly name: string;
  /** The proxy between clients and the member. */
  readonly proxy: TcpProxy;
  /** The member's own port for clients. */
  readonly port: number;
  readonly #launch: () => Promise<EtcdProcess>;
  #process: EtcdProcess;

  /** Made by `startEtcd`. */
  constructor(
    name: string,
    port: number,
    proxy: TcpProxy,
    launch: () => Promise<EtcdProcess>,
    process: EtcdProcess,
  ) {
    this.name = name;
    this.port = port;
    this.proxy = proxy;
    this.#launch = launch;
    this.#process = process;
  }

  /** The process id of this etcd. */
  get pid(): number {
    return this.#process.pid;
  }

  /** False after the process was killed or has ended by itself. */
  get isRunning(): boolean {
    return !this.#process.hasExited;
  }

  /** The last part of its log output. */
  get output(): string {
    return this.#process.output;
  }

  /** Sends SIGKILL. Resolves when the process has ended. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** Sends SIGSTOP: the member keeps its connections, but answers nothing. */
  pause(): void {
    this.#process.signal("SIGSTOP");
  }

  /** Sends SIGCONT: a paused member continues. */
  resume(): void {
    this.#process.signal("SIGCONT");
  }

  /** Starts the member again with the same data. */
  async restart(): Promise<void> {
    await this.kill();
    this.#process = await this.#launch();
  }
}

/** An etcd with some members on this machine. Each has a proxy in front of it. */
export class EtcdCluster {
  /** The members of the cluster, in the order of their start. */
  readonly members: readonly EtcdMember[];
  /** The certificates, if the option `tls` is set. */
  readonly certificates: TestCertificates | undefined;
  /** The directory of the data. `stop` removes it. */
  readonly directory: string;

  /** Made by `startEtcd`. */
  constructor(root: string, members: readonly EtcdMember[], certificates: TestCertificates | undefined) {
    this.directory = root;
    this.members = members;
    this.certificates = certificates;
  }

  /** The addresses of the proxies. */
  get endpoints(): string[] {
    return this.members.map(({ proxy }) => `${this.#scheme}://127.0.0.1:${proxy.port}`);
  }

  /** The options for `etcdLog`: endpoints and certificates. */
  get connection(): Pick<EtcdLogOptions, "endpoints" | "tls"> {
    const { endpoints, certificates } = this;
    if (certificates === undefined) return { endpoints };
    return { endpoints, tls: pick(certificates) };
  }

  /** Waits until the members have a leader, and returns it. */
  async leader(): Promise<EtcdMember> {
    for (;;) {
      for (const member of this.members) {
        const status = await this.#ask(member, "/v3/maintenance/status").catch(() => undefined); // the member is down or stopped
        const { leader, header } = (status ?? {}) as { leader?: string; header?: { member_id?: string } };
        if (leader !== undefined && leader !== "0" && leader === header?.member_id) return member;
      }
      await pause();
    }
  }

  /**
   * Sends a request to the JSON gateway of one member, not through its proxy. For the actions of an operator.
   * @throws Error with etcd's answer
   */
  async admin(path: string, body: object = {}, member = this.members[0]): Promise<Record<string, unknown>> {
    if (member === undefined) throw new Error("there is no member");
    return await this.#ask(member, path, body);
  }

  /** Compacts all history, defragments each member, and disarms alarms: the answer of an operator to NOSPACE. */
  async makeRoom(): Promise<void> {
    const status = await this.admin("/v3/maintenance/status");
    const { revision } = status.header as { revision: string };
    await this.admin("/v3/kv/compaction", { revision, physical: true });
    for (const member of this.members) await this.#ask(member, "/v3/maintenance/defragment", {});
    const { alarms = [] } = (await this.admin("/v3/maintenance/alarm", { action: "GET" })) as {
      alarms?: object[];
    };
    for (const alarm of alarms) await this.admin("/v3/maintenance/alarm", { action: "DEACTIVATE", ...alarm });
  }

  /** Resolves when each running member answers and reports that it is healthy. */
  async healthy(): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (const member of this.members) {
      while (member.isRunning && !(await this.#isHealthy(member))) {
        if (Date.now() > end) throw new Error(`${member.name} does not become healthy: ${member.output}`);
        await pause();
      }
    }
  }

  /** Ends all processes, and removes the data. */
  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await Promise.all(this.members.map(({ proxy }) => proxy.close()));
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Stops the members at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  get #scheme(): string {
    return this.certificates === undefined ? "http" : "https";
  }

  async #isHealthy(member: EtcdMember): Promise<boolean> {
    try {
      const { health } = await this.#ask(member, "/health", undefined);
      return health === "true";
    } catch {
      return false; // not yet
    }
  }

  #ask(member: EtcdMember, path: string, body: object | undefined = {}): Promise<Record<string, unknown>> {
    const options: RequestOptions = {
      host: "127.0.0.1",
      port: member.port,
      path,
      method: path === "/health" ? "GET" : "POST",
      agent: false,
      timeout: 5000,
      ...(this.certificates !== undefined && pick(this.certificates)),
    };
    const send = this.certificates === undefined ? plainRequest : secureRequest;
    return new Promise((resolve, reject) => {
      const sent = send(options, (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => {
          const text = Buffer.concat(parts).toString();
          if (answer.statusCode !== 200) reject(new Error(`${member.name} ${path}: ${text}`));
          else resolve(JSON.parse(text) as Record<string, unknown>);
        });
      });
      sent.on("timeout", () => sent.destroy(new Error(`${member.name} ${path}: no answer`)));
      sent.on("error", reject);
      sent.end(path === "/health" ? undefined : JSON.stringify(body));
    });
  }
}

/**
 * Why `startEtcd` cannot work on this machine, so that tests can be skipped; undefined if it can.
 * @param options the options for `startEtcd`: with `tls` it needs one more program
 */
export function whyNoEtcd(options: StartEtcdOptions = {}): string | undefined {
  if (process.platform === "win32") return "it needs signals, which Windows does not have";
  if (findProgram("etcd") === undefined)
    return "etcd is not on the PATH (Debian, Ubuntu: apt-get install etcd-server)";
  if (options.tls === true && findProgram("openssl") === undefined) return "openssl is not on the PATH";
  return undefined;
}

/**
 * Starts etcd on free ports of the loopback interface, with data in a temporary directory. When this process ends, even if it is killed,
 * etcd ends and the directory is removed.
 * @throws Error if etcd is not on the PATH, or does not become healthy
 */
export async function startEtcd(options: StartEtcdOptions = {}): Promise<EtcdCluster> {
  const missing = whyNoEtcd(options);
  const etcd = findProgram("etcd");
  if (missing !== undefined || etcd === undefined) throw new Error(`etcd cannot be started: ${missing}`);
  for (let attempt = 1; ; attempt++) {
    const root = await mkdtemp(join(tmpdir(), "kaya-etcd-"));
    let cluster: EtcdCluster | undefined;
    try {
      cluster = await launch(etcd, root, options);
      await cluster.healthy();
      const ended = cluster.members.find((member) => !member.isRunning);
      if (ended !== undefined) throw new Error(`${ended.name} ended: ${ended.output}`);
      if (options.users !== undefined) await addUsers(cluster, options.users);
      return cluster;
    } catch (error) {
      await cluster?.stop();
      await rm(root, { recursive: true, force: true });
      // Another process may have taken a port after the check.
      if (attempt === STARTS) throw error;
    }
  }
}

async function launch(etcd: string, root: string, options: StartEtcdOptions): Promise<EtcdCluster> {
  const count = options.members ?? 3;
  const ports = await freePorts(3 * count);
  const certificates = options.tls === true ? await makeCertificates(root) : undefined;
  const at = (index: number) => ports[index] as number;
  const peers = Array.from({ length: count }, (_, index) => `m${index}=http://127.0.0.1:${at(3 * index)}`);
  const starting = peers.map(async (_, index) => {
    const [peerPort, port, proxyPort] = [at(3 * index), at(3 * index + 1), at(3 * index + 2)];
    const client = `${certificates === undefined ? "http" : "https"}://127.0.0.1:${port}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    const args = [
      ...["--name", `m${index}`, "--data-dir", join(root, `m${index}`), "--log-level", "error"],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", peers.join(","), "--initial-cluster-token", root],
      ...(options.quotaBytes === undefined ? [] : ["--quota-backend-bytes", String(options.quotaBytes)]),
      ...(certificates === undefined ? [] : tlsArgs(certificates)),
    ];
    const start = () => EtcdProcess.start(etcd, root, args);
    const proxy = await TcpProxy.start(proxyPort, port);
    try {
      return new EtcdMember(`m${index}`, port, proxy, start, await start());
    } catch (error) {
      await proxy.close();
      throw error;
    }
  });
  const outcomes = await Promise.allSettled(starting);
  const members = outcomes.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const cluster = new EtcdCluster(root, members, certificates);
  const failed = outcomes.find((each) => each.status === "rejected");
  if (failed === undefined) return cluster;
  await cluster.stop();
  throw failed.reason;
}

function tlsArgs({ files }: TestCertificates): string[] {
  return [
    "--client-cert-auth",
    "--trusted-ca-file",
    files.ca,
    "--cert-file",
    files.cert,
    "--key-file",
    files.key,
  ];
}

async function addUsers(cluster: EtcdCluster, users: NonNullable<StartEtcdOptions["users"]>): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  await cluster.admin("/v3/auth/user/add", { name: "root", password: "root" });
  await cluster.admin("/v3/auth/user/grant", { user: "root", role: "root" }).catch(async () => {
    await cluster.admin("/v3/auth/role/add", { name: "root" });
    await cluster.admin("/v3/auth/user/grant", { user: "root", role: "root" });
  });
  for (const { name, password, prefix } of users) {
    const perm = { permType: "READWRITE", key: base64(`${prefix}/`), range_end: base64(`${prefix}0`) };
    await cluster.admin("/v3/auth/user/add", { name, password });
    await cluster.admin("/v3/auth/role/add", { name });
    await cluster.admin("/v3/auth/role/grant", { name, perm });
    await cluster.admin("/v3/auth/user/grant", { user: name, role: name });
  }
  await cluster.admin("/v3/auth/enable");
}

function pick({ ca, cert, key }: TestCertificates) {
  return { ca, cert, key };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
