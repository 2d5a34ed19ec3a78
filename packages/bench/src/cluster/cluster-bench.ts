import { readFile, writeFile } from "node:fs/promises";
import { startEtcd, whyNoEtcd } from "@kaya/cluster/testing";
import { Command, Option } from "commander";
import type { Terminal } from "../bench.js";
import { describeMachine } from "../machine.js";
import { withDataDirectory } from "../workspace.js";
import { clusterReport } from "./cluster-report.js";
import type { ClusterRun } from "./cluster-run.js";
import { FULL, QUICK } from "./cluster-scale.js";
import { measureJoining } from "./measure-joining.js";
import { measureLag } from "./measure-lag.js";
import { measurePuts } from "./measure-puts.js";
import { measureTakeover } from "./measure-takeover.js";

const PARTS = ["puts", "takeover", "lag", "joining"] as const;
type Part = (typeof PARTS)[number];

const MARKED = /(<!-- bench:cluster -->\n)[\s\S]*?(<!-- \/bench -->)/;

interface Flags {
  readonly full?: true;
  readonly only?: Part;
  readonly dir?: string;
  readonly json?: string;
  readonly from?: string;
  readonly into?: readonly string[];
}

/** Runs `bench cluster`. @returns the exit code: 1 if etcd is not installed */
export async function clusterBench(argv: readonly string[], terminal: Terminal): Promise<number> {
  const flags = parse(argv);
  const missing = whyNoEtcd();
  if (flags.from === undefined && missing !== undefined) {
    terminal.note(missing);
    return 1;
  }
  const run = flags.from === undefined ? await measure(flags, terminal) : await readRun(flags.from);
  if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(run)}\n`);
  const report = clusterReport(run);
  for (const file of flags.into ?? []) await replaceIn(file, report);
  terminal.out(`${report}\n`);
  return 0;
}

function parse(argv: readonly string[]): Flags {
  return new Command("bench cluster")
    .description("Measures a cluster on this machine: three members of etcd and all nodes.")
    .option("--quick", "about a minute, the default")
    .option("--full", "about eight minutes")
    .addOption(new Option("--only <part>", "only this part").choices(PARTS))
    .option(
      "--dir <dir>",
      "directory for the data of the nodes and of etcd (default: a temporary directory, removed afterwards)",
    )
    .option("--json <file>", "the figures")
    .option("--from <file>", "print the figures of an earlier --json file, and measure nothing")
    .option(
      "--into <files...>",
      "Markdown files: replace the text between <!-- bench:cluster --> and <!-- /bench -->",
    )
    .allowExcessArguments(false)
    .exitOverride()
    .parse([...argv], { from: "user" })
    .opts<Flags>();
}

async function measure({ full, only, dir }: Flags, terminal: Terminal): Promise<ClusterRun> {
  const scale = full === true ? FULL : QUICK;
  const wants = (part: Part) => only === undefined || only === part;
  const note = (text: string) => terminal.note(text);
  return withDataDirectory(dir, async (path) => {
    const etcd = await startEtcd();
    try {
      // Connects to the members directly. The proxies run in this process and would slow it down.
      const endpoints = etcd.members.map(({ port }) => `http://127.0.0.1:${port}`);
      return {
        machine: describeMachine(path),
        mode: scale.mode,
        etcd: await versionOf(endpoints[0] as string),
        rounds: scale.rounds,
        puts: wants("puts") ? await measurePuts(path, endpoints, scale, note) : [],
        takeoverMs: wants("takeover") ? await measureTakeover(path, endpoints, scale.kills, note) : [],
        lag: wants("lag") ? await measureLag(path, endpoints, scale.lagMs, note) : undefined,
        joins: wants("joining") ? await measureJoining(path, endpoints, scale.joined, note) : [],
      };
    } finally {
      await etcd.stop();
    }
  });
}

async function versionOf(endpoint: string): Promise<string> {
  const { etcdserver } = (await (await fetch(`${endpoint}/version`)).json()) as { etcdserver: string };
  return `etcd ${etcdserver}`;
}

async function readRun(file: string): Promise<ClusterRun> {
  return JSON.parse(await readFile(file, "utf8")) as ClusterRun;
}

async function replaceIn(file: string, report: string): Promise<void> {
  const document = await readFile(file, "utf8");
  if (!MARKED.test(document))
    throw new Error(`${file} has no <!-- bench:cluster --> that <!-- /bench --> ends`);
  await writeFile(
    file,
    document.replace(MARKED, (_, begin: string, end: string) => `${begin}\n${report}\n\n${end}`),
  );
}
