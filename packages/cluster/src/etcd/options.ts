import { describe, KayaError, readOptions } from "@kaya/core";

/** Certificates for etcd, each as the text of a PEM file. */
export interface EtcdTls {
  /** The certificate of the authority that signed etcd's certificates. Default: the authorities that Node.js trusts. */
  readonly ca?: string | Uint8Array | undefined;
  /** The client's certificate, if etcd requires one (`--client-cert-auth`). Needs `key`. */
  readonly cert?: string | Uint8Array | undefined;
  /** The client certificate's private key. Needs `cert`. */
  readonly key?: string | Uint8Array | undefined;
}

/** The place of the log, and the way to reach it. */
export interface EtcdLogOptions {
  /**
   * Addresses of etcd's members, such as `http://host:2379` or `https://host:2379`; all with the same scheme. The default port is 2379,
   * etcd's own. Name all members, so that Kaya can use the others when one is lost.
   */
  readonly endpoints: readonly string[];
  /** The prefix of all keys of the log, such as `/orders`. No other program may write below it. */
  readonly prefix: string;
  /** A user of etcd with read and write permission for the prefix; together with `password`. */
  readonly username?: string | undefined;
  /** The user's password. */
  readonly password?: string | undefined;
  /** Certificates; only with `https://` endpoints. Default: the authorities that Node.js trusts, and no client certificate. */
  readonly tls?: EtcdTls | undefined;
  /** Time after which a call without an answer rejects, in milliseconds: 100 to 60,000. Default 3,000, which is longer than an election of etcd. */
  readonly requestTimeoutMs?: number | undefined;
  /**
   * True (default): the log compacts etcd's history after trims. This affects all keys of that etcd, because etcd cannot compact only a
   * part. False: for an etcd that other programs also use, and that compacts by itself (`--auto-compaction-retention`). If nothing
   * compacts, etcd grows until it is full.
   */
  readonly compact?: boolean | undefined;
}

/** Validated options, with all defaults. */
export interface EtcdSettings {
  /** `host:port` of each member. */
  readonly addresses: readonly string[];
  readonly prefix: string;
  readonly credentials: { readonly name: string; readonly password: string } | undefined;
  /** Undefined for connections without TLS. */
  readonly tls: EtcdTls | undefined;
  readonly timeoutMs: number;
  readonly isCompacting: boolean;
  /** The name of the log in messages, without secrets. */
  readonly name: string;
}

/** The default port of etcd for clients. */
const ETCD_PORT = "2379";

const KNOWN = [
  "endpoints",
  "prefix",
  "username",
  "password",
  "tls",
  "requestTimeoutMs",
  "compact",
] as const satisfies readonly (keyof EtcdLogOptions)[];
const KNOWN_TLS = ["ca", "cert", "key"] as const satisfies readonly (keyof EtcdTls)[];

/** @throws KayaError KAYA_INVALID_ARGUMENT, naming the option that is wrong or unknown */
export function checkEtcdOptions(given: EtcdLogOptions): EtcdSettings {
  const options: Partial<EtcdLogOptions> = readOptions(given, KNOWN, "the options of etcdLog");
  const { endpoints, requestTimeoutMs = 3000 } = options;
  if (!Array.isArray(endpoints) || endpoints.length === 0)
    throw wrong("endpoints must name at least one member of etcd, such as http://127.0.0.1:2379");
  const urls = endpoints.map(parseEndpoint);
  const isSecure = urls[0]?.protocol === "https:";
  if (urls.some((url) => (url.protocol === "https:") !== isSecure))
    throw wrong("endpoints must be all http:// or all https://");
  if (!isSecure && options.tls !== undefined)
    throw wrong("tls is given, but the endpoints are http://: name them https://");
  if (!(typeof requestTimeoutMs === "number" && requestTimeoutMs >= 100 && requestTimeoutMs <= 60_000))
    throw wrong(`requestTimeoutMs must be 100 to 60000, not ${describe(requestTimeoutMs)}`);
  const prefix = checkPrefix(options.prefix);
  return {
    addresses: urls.map(({ host }) => host),
    prefix,
    credentials: checkCredentials(options),
    tls: isSecure ? checkTls(options.tls ?? {}) : undefined,
    timeoutMs: requestTimeoutMs,
    isCompacting: options.compact ?? true,
    name: `etcd ${urls.map((url) => url.host).join(",")} ${prefix}`,
  };
}

interface Endpoint {
  readonly protocol: string;
  /** `host:port` */
  readonly host: string;
}

function parseEndpoint(endpoint: unknown): Endpoint {
  const text = String(endpoint);
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw wrong(`endpoint ${text} is not an address such as http://127.0.0.1:2379`);
  const url = new URL(text);
  if (url.username !== "" || url.password !== "")
    throw wrong(`endpoint ${url.host} has a user or password in it: give them as username and password`);
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
    throw wrong(`endpoint ${url.host} has a path: give the prefix of the keys as prefix`);
  return { protocol: url.protocol, host: `${url.hostname}:${url.port || portIn(text) || ETCD_PORT}` };
}

/** The port in the text of an address. `URL` drops a port that is the default of the scheme: 80 or 443. */
function portIn(text: string): string | undefined {
  return /^\w+:\/\/[^/?#]*:0*(\d+)(?:[/?#]|$)/.exec(text.trim())?.[1];
}

function checkPrefix(prefix: unknown): string {
  const trimmed = typeof prefix === "string" ? prefix.replace(/\/+$/, "") : "";
  // One line: the log's name has it, and messages show that.
  if (trimmed === "" || /[\p{C}\p{Zl}\p{Zp}]/u.test(trimmed))
    throw wrong("prefix must be one line of text such as /orders: all keys of the log are below it");
  return trimmed;
}

function checkCredentials({ username, password }: Partial<EtcdLogOptions>): EtcdSettings["credentials"] {
  if ((username === undefined) !== (password === undefined))
    throw wrong("username and password must be given together");
  return username === undefined || password === undefined ? undefined : { name: username, password };
}

function checkTls(given: EtcdTls): EtcdTls {
  const tls: EtcdTls = readOptions(given, KNOWN_TLS, "tls of etcdLog");
  if ((tls.cert === undefined) !== (tls.key === undefined))
    throw wrong("tls.cert and tls.key must be given together");
  return tls;
}

function wrong(found: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", `etcdLog: ${found}`);
}
