import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Certificates for a test, as PEM files and as text. */
export interface TestCertificates {
  /** The certificate of the authority that signed both others, in PEM. */
  readonly ca: string;
  /** The client's certificate, in PEM. */
  readonly cert: string;
  /** The client's private key, in PEM. */
  readonly key: string;
  /** Paths of the files that etcd reads. */
  readonly files: {
    /** Path of the authority's certificate. */
    readonly ca: string;
    /** Path of the server's certificate. */
    readonly cert: string;
    /** Path of the server's private key. */
    readonly key: string;
  };
}

const THIS_MACHINE = "IP:127.0.0.1,DNS:localhost";

/**
 * Makes an authority, and certificates that it signed for a server and for a client. Uses the `openssl` program.
 * @param names the hosts and addresses that the certificates are for, as `subjectAltName` of openssl
 */
export async function makeCertificates(directory: string, names = THIS_MACHINE): Promise<TestCertificates> {
  const at = (name: string) => join(directory, name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const authority = [
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.pem"),
    "-days",
    "2",
    "-subj",
    "/CN=kaya-test-ca",
  ];
  await run("openssl", ["req", "-x509", ...key, ...authority]);
  await writeFile(at("extensions"), `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  for (const name of ["server", "client"]) {
    const request = ["-keyout", at(`${name}.key`), "-out", at(`${name}.csr`), "-subj", `/CN=kaya-${name}`];
    await run("openssl", ["req", ...key, ...request]);
    const signed = ["-in", at(`${name}.csr`), "-out", at(`${name}.pem`), "-extfile", at("extensions")];
    const signer = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "2"];
    await run("openssl", ["x509", "-req", ...signed, ...signer]);
  }
  const text = (name: string) => readFile(at(name), "utf8");
  return {
    ca: await text("ca.pem"),
    cert: await text("client.pem"),
    key: await text("client.key"),
    files: { ca: at("ca.pem"), cert: at("server.pem"), key: at("server.key") },
  };
}
