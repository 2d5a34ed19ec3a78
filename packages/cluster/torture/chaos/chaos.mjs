// Three members of etcd, three nodes in processes of their own with clients, and a nemesis that injects faults. At the end, each answer of
// a client and the data of each node are compared with the shared log.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "@kaya/io";
import { freePorts } from "../../dist/testing/etcd/ports.js";
import { TcpProxy } from "../../dist/testing/etcd/tcp-proxy.js";
import { startEtcd, whyNoEtcd } from "../../dist/testing/index.js";
import { ChaosNode } from "./chaos-node.mjs";
import { checkAll } from "./check.mjs";
import { readHistory } from "./history.mjs";
import { Nemesis, SHORT_PLAN } from "./nemesis.mjs";
import { Observer } from "./observer.mjs";

const NODES = 3;
const PREFIX = "/chaos";
const QUOTA_BYTES = 24 * 1024 * 1024;
const PATIENCE_MS = 120_000;

/**
 * @param {{ minutes: number, seed: number, onProgress?: (text: string) => void }} options minutes: 0 for the short plan
 * @returns {Promise<{ figures: string[][], violations: string[], skipped: string[] }>}
 */
export async function runChaos({ minutes, seed, onProgress = () => undefined }) {
  const missing = await whyNoEtcd();
  if (missing !== undefined)
    return { figures: [], violations: [], skipped: [`chaos over a real etcd: ${missing}`] };
  const root = await mkdtemp(join(tmpdir(), "kaya-chaos-"));
  const etcd = await startEtcd({ quotaBytes: QUOTA_BYTES });
  /** @type {ChaosNode[]} */
  const nodes = [];
  const direct = etcd.members.map(({ port }) => `http://127.0.0.1:${port}`);
  const observer = new Observer(direct, PREFIX);
  let isKept = false;
  try {
    for (let index = 0; index < NODES; index++) nodes.push(await newNode(index, { seed, root, etcd }));
    for (const node of nodes) node.start();
    const nemesis = new Nemesis({ etcd, nodes, onProgress, random: new Random(seed, 7) });
    await untilWriter(nemesis);
    await sleep(1_000);
    if (minutes === 0) await nemesis.runPlan(SHORT_PLAN);
    else await nemesis.runFor(minutes * 60_000);
    await nemesis.heal();
    const joiner = await newNode(NODES, { seed, root, etcd });
    nodes.push(joiner);
    joiner.start();
    await untilWriter(nemesis);
    await sleep(1_500);
    for (const node of nodes) await node.ask("rest");
    const states = await statesOf(nodes, observer);
    const history = nodes.flatMap((node) => readHistory(node.history));
    const { violations, figures } = checkAll({
      history,
      model: observer.model,
      states,
      base: await observer.base(),
    });
    if (observer.failure !== undefined)
      violations.push(`the observer cannot follow the shared log: ${observer.failure}`);
    for (const { id, errors } of nodes)
      if (errors !== "") violations.push(`${id} complains: ${errors.slice(0, 2000)}`);
    isKept = violations.length > 0;
    const where = isKept
      ? [
          `the directory is kept: ${root}; again: node packages/cluster/torture/main.mjs --seconds 0 --no-explorer --order ${seed}`,
        ]
      : [];
    return {
      figures: [...nemesis.figures(), ...figures],
      violations: [...violations, ...where],
      skipped: [],
    };
  } catch (error) {
    isKept = true;
    const said = nodes.map(({ id, errors }) => `${id}: ${errors.slice(0, 1000)}`).join("\n");
    return {
      figures: [],
      violations: [
        `chaos: ${error instanceof Error ? error.stack : error}\n${said}\nthe directory is kept: ${root}`,
      ],
      skipped: [],
    };
  } finally {
    for (const node of nodes) await node.kill();
    for (const node of nodes) for (const proxy of node.proxies) await proxy.close();
    await observer.close();
    await etcd.stop();
    if (!isKept) await rm(root, { recursive: true, force: true, maxRetries: 20 });
  }
}

/**
 * Makes a node, with a proxy of its own to each member.
 * @param {number} index
 * @param {{ seed: number, root: string, etcd: import("../../dist/testing/index.js").EtcdCluster }} world
 */
async function newNode(index, { seed, root, etcd }) {
  const ports = await freePorts(etcd.members.length);
  const proxies = await Promise.all(etcd.members.map(({ port }, at) => TcpProxy.start(ports[at] ?? 0, port)));
  const id = `n${index}`;
  const settings = {
    id,
    seed: seed * 10 + index,
    lanes: 6,
    keys: 24,
    prefix: PREFIX,
    endpoints: ports.map((port) => `http://127.0.0.1:${port}`),
    dataDir: join(root, id),
    blobs: join(root, "blobs"),
    history: join(root, `${id}.history`),
  };
  return new ChaosNode(settings, proxies);
}

/** @param {Nemesis} nemesis */
async function untilWriter(nemesis) {
  const end = performance.now() + PATIENCE_MS;
  while ((await nemesis.writer()) === undefined) {
    if (performance.now() > end) throw new Error(`no node is the writer after ${PATIENCE_MS} ms`);
    await sleep(50);
  }
}

/**
 * The data of each node, when all nodes have all records.
 * @param {readonly ChaosNode[]} nodes
 * @param {Observer} observer
 */
async function statesOf(nodes, observer) {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const states = await Promise.all(
      nodes.map(async (node) => ({ id: node.id, ...(await node.ask("state")) })),
    );
    const head = await observer.head();
    const isWhole = states.every(({ lsn }) => lsn === head?.lsn) && observer.lsn === head?.lsn;
    if (isWhole || observer.failure !== undefined) return states;
    if (performance.now() > end)
      throw new Error(
        `nodes do not reach LSN ${head?.lsn}: ${states.map(({ id, lsn, error }) => `${id} ${lsn} ${error ?? ""}`).join("; ")}; the observer ${observer.lsn}`,
      );
    await sleep(200);
  }
}
