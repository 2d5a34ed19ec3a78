import { readFile } from "node:fs/promises";
import type { SharedLog } from "@kaya/cluster";
import { type Command, Option } from "commander";
import { invalid } from "../bytes.js";
import type { Context } from "../context.js";
import { unreadableFile } from "../file-error.js";

/** The options that name a shared log and give access to it. */
export interface LogOptions {
  readonly etcd?: string;
  readonly prefix?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
}

const PASSWORD = "KAYA_ETCD_PASSWORD";
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Adds the options that name a shared log. All except the password may also come from the environment. */
export function addLogOptions(command: Command): Command {
  const options = [
    new Option("--etcd <urls>", "the members of etcd, separated by commas (also: KAYA_ETCD)").env(
      "KAYA_ETCD",
    ),
    new Option(
      "--prefix <text>",
      "the prefix of the log's keys in etcd, the same as on the nodes (also: KAYA_ETCD_PREFIX)",
    ).env("KAYA_ETCD_PREFIX"),
    new Option(
      "--user <name>",
      `a user of etcd (also: KAYA_ETCD_USER); the password is in ${PASSWORD}, or in a file`,
    ).env("KAYA_ETCD_USER"),
    new Option("--password-file <file>", "a file with the password; a line break at its end is ignored"),
    new Option(
      "--cacert <file>",
      "the authority that signed etcd's certificate: PEM (also: KAYA_ETCD_CACERT)",
    ).env("KAYA_ETCD_CACERT"),
    new Option("--cert <file>", "the certificate to show to etcd: PEM (also: KAYA_ETCD_CERT)").env(
      "KAYA_ETCD_CERT",
    ),
    new Option("--key <file>", "the key of that certificate: PEM (also: KAYA_ETCD_KEY)").env("KAYA_ETCD_KEY"),
  ];
  for (const option of options) command.addOption(option);
  return command;
}

/** Opens the log that the options name, runs the work, and closes the log. */
export async function withLog<T>(
  context: Context,
  options: LogOptions,
  work: (log: SharedLog) => Promise<T>,
): Promise<T> {
  const log = await openLog(context, options);
  // A log that waits for etcd does not keep the process alive: without this timer the process would end without a message.
  const alive = setInterval(() => undefined, LONGEST_TIMER_MS);
  try {
    return await work(log);
  } finally {
    clearInterval(alive);
    await log.close().catch(() => undefined); // the result of the work is more important
  }
}

/**
 * Opens the log that the options name. The caller closes it.
 * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_FOUND, KAYA_IO
 */
export async function openLog({ io }: Context, options: LogOptions): Promise<SharedLog> {
  if (io.openLog !== undefined) return io.openLog();
  const { etcd, prefix, user, ...files } = options;
  if (etcd === undefined)
    throw invalid("which etcd? Give --etcd URL[,URL], such as --etcd http://10.0.0.1:2379, or set KAYA_ETCD");
  if (prefix === undefined)
    throw invalid(
      "which log? Give --prefix, the same as on the nodes, such as --prefix /orders, or set KAYA_ETCD_PREFIX",
    );
  const endpoints = etcd.split(",").map((url) => url.trim());
  const password = await passwordOf(user, files.passwordFile);
  const tls = await tlsOf(files);
  const { etcdLog } = await import("@kaya/cluster"); // large, so it is only loaded when it is used
  return etcdLog({
    endpoints,
    prefix,
    ...(user !== undefined && { username: user, password }),
    ...(tls !== undefined && { tls }),
  });
}

async function passwordOf(user: string | undefined, file: string | undefined): Promise<string | undefined> {
  if (user === undefined) {
    if (file === undefined) return undefined;
    throw invalid("--password-file needs --user NAME");
  }
  const password = file === undefined ? process.env[PASSWORD] : (await read(file)).replace(/\r?\n$/, "");
  if (password !== undefined && password !== "") return password;
  throw invalid(
    file === undefined
      ? `--user needs a password: set ${PASSWORD}, or give --password-file FILE`
      : `${file} is empty, but a password is needed`,
  );
}

async function tlsOf({ cacert, cert, key }: LogOptions): Promise<object | undefined> {
  if ((cert === undefined) !== (key === undefined)) throw invalid("--cert FILE and --key FILE go together");
  if (cacert === undefined && cert === undefined) return undefined;
  const entries = Object.entries({ ca: cacert, cert, key }).flatMap(([name, file]) =>
    file === undefined ? [] : [read(file).then((text) => [name, text] as const)],
  );
  return Object.fromEntries(await Promise.all(entries));
}

/** @throws KayaError KAYA_NOT_FOUND, KAYA_IO */
async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw unreadableFile(file, cause);
  }
}
