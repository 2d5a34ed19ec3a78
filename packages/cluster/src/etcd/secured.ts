import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import type { EtcdTls } from "./options.js";

/** A name that no host has (RFC 2606). */
const NO_HOST = "etcd.invalid";

/** How a channel connects with TLS. */
export interface Secured {
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
}

/**
 * TLS for the connection to one member. Its certificate must be for the host of the address.
 *
 * gRPC sends the host as the server's name. RFC 6066 does not allow an IP address there, and Node.js warns of it (DEP0123). So for an IP address
 * another name is sent, and the certificate is still checked for the IP address.
 *
 * @param address `host:port`
 */
export function secured(address: string, { ca, cert, key }: EtcdTls): Secured {
  const pem = [bytesOf(ca), bytesOf(key), bytesOf(cert)] as const;
  const host = new URL(`https://${address}`).hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) === 0) return { credentials: credentials.createSsl(...pem), options: {} };
  return {
    credentials: credentials.createSsl(...pem, {
      checkServerIdentity: (_sent, certificate) => checkServerIdentity(host, certificate),
    }),
    options: { "grpc.ssl_target_name_override": NO_HOST },
  };
}

function bytesOf(pem: string | Uint8Array | undefined): Buffer | null {
  if (pem === undefined) return null;
  return typeof pem === "string" ? Buffer.from(pem) : Buffer.from(pem);
}
