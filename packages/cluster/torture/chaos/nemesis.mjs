import { setTimeout as sleep } from "node:timers/promises";

/** @typedef {import("./chaos-node.mjs").ChaosNode} ChaosNode */
/** @typedef {keyof typeof ACTIONS} Action */

// Longer than the presence of a writer.
const LONG_MS = 2_500;
const REST_MS = 700;
const PATIENCE_MS = 60_000;
const JUNK_BYTES = 1024 * 1024;

/** The short plan: each action once, in this order. @type {readonly Action[]} */
export const SHORT_PLAN = [
  "kill the writer",
  "stop the writer beyond its presence",
  "kill a member",
  "lose replies",
  "cut off the writer",
  "kill the majority",
  "compact under followers",
  "fill etcd",
  "kill all",
];

const ACTIONS = {
  "kill the writer": async (/** @type {Nemesis} */ it) => {
    const writer = await it.writer();
    await writer?.kill();
    await it.failover(writer);
    writer?.start();
  },
  "stop the writer beyond its presence": async (/** @type {Nemesis} */ it) => {
    const writer = await it.writer();
    writer?.stop();
    await it.failover(writer);
    await sleep(LONG_MS); // another node writes, makes bases and trims
    writer?.goOn();
  },
  "kill a member": async (/** @type {Nemesis} */ it) => {
    const member = it.random.chance(0.5) ? await it.etcd.leader() : it.member();
    await member.kill();
    await sleep(LONG_MS);
    await member.restart();
  },
  "lose replies": async (/** @type {Nemesis} */ it) => {
    const writer = (await it.writer()) ?? it.node();
    await it.setProxies(writer, "replies");
    await sleep(300 + it.random.below(1_500));
    await it.setProxies(writer, "pass");
  },
  "cut off the writer": async (/** @type {Nemesis} */ it) => {
    const writer = await it.writer();
    if (writer === undefined) return;
    await it.setProxies(writer, it.random.chance(0.5) ? "drop" : "refuse");
    await it.failover(writer);
    await sleep(REST_MS);
    await it.setProxies(writer, "pass");
  },
  "kill the majority": async (/** @type {Nemesis} */ it) => {
    const [first, second] = it.etcd.members;
    await Promise.all([first?.kill(), second?.kill()]);
    await sleep(LONG_MS);
    await Promise.all([first?.restart(), second?.restart()]);
    await it.etcd.healthy();
  },
  "kill all": async (/** @type {Nemesis} */ it) => {
    await Promise.all([
      ...it.nodes.map((node) => node.kill()),
      ...it.etcd.members.map((member) => member.kill()),
    ]);
    await Promise.all(it.etcd.members.map((member) => member.restart()));
    for (const node of it.nodes) node.start();
  },
  "compact under followers": async (/** @type {Nemesis} */ it) => {
    const follower = await it.follower();
    follower?.stop();
    await sleep(REST_MS);
    await it.etcd.makeRoom().catch(() => undefined); // a member may still be starting
    await sleep(REST_MS);
    follower?.goOn();
  },
  "fill etcd": async (/** @type {Nemesis} */ it) => {
    await it.etcd.healthy();
    const value = Buffer.alloc(JUNK_BYTES, 1).toString("base64");
    const key = (/** @type {number} */ index) => Buffer.from(`junk-${index}`).toString("base64");
    for (let index = 0; index < 60; index++) {
      try {
        await it.etcd.admin("/v3/kv/put", { key: key(index), value });
      } catch {
        break; // NOSPACE: etcd is full, as intended
      }
    }
    await sleep(REST_MS);
    const rangeEnd = Buffer.from("junk.").toString("base64");
    await it.etcd.admin("/v3/kv/deleterange", { key: key(0), range_end: rangeEnd });
    await it.etcd.makeRoom();
  },
  "kill a follower": async (/** @type {Nemesis} */ it) => {
    const follower = await it.follower();
    await follower?.kill();
    await sleep(REST_MS);
    follower?.start();
  },
};

/** Injects faults one after the other, and measures the time until there is a writer again. */
export class Nemesis {
  /** @type {Record<string, number>} */
  #counts = {};
  /** @type {number[]} */
  #failovers = [];
  #onProgress;

  /** @param {{ etcd: import("../../dist/testing/index.js").EtcdCluster, nodes: ChaosNode[], random: import("@kaya/io").Random, onProgress: (text: string) => void }} world */
  constructor({ etcd, nodes, random, onProgress }) {
    this.etcd = etcd;
    this.nodes = nodes;
    this.random = random;
    this.#onProgress = onProgress;
  }

  /** @param {readonly Action[]} plan */
  async runPlan(plan) {
    for (const action of plan) await this.#run(action);
  }

  /** @param {number} ms */
  async runFor(ms) {
    const end = performance.now() + ms;
    const actions = /** @type {[Action, ...Action[]]} */ (Object.keys(ACTIONS));
    while (performance.now() < end) await this.#run(this.random.pick(actions));
  }

  /** Ends all faults: all processes run, and can reach each other. */
  async heal() {
    for (const node of this.nodes) {
      node.goOn();
      await this.setProxies(node, "pass");
    }
    for (const member of this.etcd.members) if (!member.isRunning) await member.restart();
    await this.etcd.healthy();
    await this.etcd.makeRoom();
    for (const node of this.nodes) node.start();
    // A failed node is opened again, as an operator would do.
    for (const node of this.nodes) {
      const status = await node.ask("status", 5_000);
      if (status?.role !== "failed") continue;
      this.#count("failed nodes, opened again");
      await node.kill();
      node.start();
    }
  }

  /** The node with the role "writer", if there is one. */
  async writer() {
    const answers = await this.#statuses();
    return answers.find(({ status }) => status?.role === "writer")?.node;
  }

  async follower() {
    const answers = await this.#statuses();
    return answers.find(({ status }) => status?.role === "follower")?.node;
  }

  node() {
    return this.nodes[this.random.below(this.nodes.length)];
  }

  member() {
    const { members } = this.etcd;
    return /** @type {typeof members[number]} */ (members[this.random.below(members.length)]);
  }

  /**
   * @param {ChaosNode | undefined} node
   * @param {"pass" | "drop" | "replies" | "refuse"} mode
   */
  async setProxies(node, mode) {
    for (const proxy of node?.proxies ?? []) await proxy.set(mode);
  }

  /** Waits until another node is the writer. @param {ChaosNode | undefined} before */
  async failover(before) {
    const started = performance.now();
    while (performance.now() < started + PATIENCE_MS) {
      const answers = await this.#statuses(before);
      if (answers.some(({ status }) => status?.role === "writer")) {
        this.#failovers.push(Math.round(performance.now() - started));
        return;
      }
      await sleep(20);
    }
    throw new Error(`no other node became the writer in ${PATIENCE_MS} ms`);
  }

  figures() {
    const counts = Object.entries(this.#counts).map(([name, count]) =>
      count === 1 ? name : `${name} ${count} times`,
    );
    const failovers = this.#failovers.join(", ");
    return [["chaos", `${counts.join(", ")}; ${this.#failovers.length} failovers (${failovers} ms)`]];
  }

  /** @param {Action} action */
  async #run(action) {
    this.#onProgress(action);
    this.#count(action);
    await ACTIONS[action](this);
    await sleep(REST_MS);
  }

  /** @param {ChaosNode} [except] */
  #statuses(except) {
    const asked = this.nodes.filter((node) => node !== except && !node.isStopped);
    return Promise.all(asked.map(async (node) => ({ node, status: await node.ask("status", 1_000) })));
  }

  /** @param {string} name */
  #count(name) {
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
  }
}
