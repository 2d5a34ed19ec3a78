import { setTimeout as sleep } from "node:timers/promises";
import { colors } from "../colors.js";
import { checkNodes } from "./check.js";
import { Client } from "./client.js";
import { Stage } from "./stage.js";

/** The pause between two faults, which shows that the cluster works again. */
const CALM_MS = 1500;
/** Longer than the presence of a node. */
const PAUSED_MS = 4000;

/** Runs the demo, and prints its progress. @returns whether no acknowledged write is lost */
export async function story(directory: string, signal: AbortSignal): Promise<boolean> {
  const stage = new Stage(directory, signal);
  try {
    return await play(stage, signal);
  } finally {
    await stage.clear();
  }
}

async function play(stage: Stage, signal: AbortSignal): Promise<boolean> {
  heading(
    "1. Three members of etcd keep the log. Three processes open the same store, each in its own directory.",
  );
  await stage.set();
  const client = new Client(stage.nodes.map(({ address }) => address));
  try {
    return await strike(stage, client, signal);
  } finally {
    client.giveUp();
  }
}

async function strike(stage: Stage, client: Client, signal: AbortSignal): Promise<boolean> {
  const started = performance.now();
  const calm = () => sleep(CALM_MS, undefined, { signal });
  await stage.acknowledgedBy(client, () => true);
  say(
    `A client writes, ${client.inFlight} puts in flight, and follows the address that KAYA_NOT_LEADER names.`,
  );
  await calm();

  heading("2. The writer gets a SIGKILL in the middle of its work.");
  const killed = stage.writer(client);
  await stage.blow(client, killed, "is killed", () => killed.kill());
  await killed.start();
  say(`${killed.id} is started again on its directory, and follows.`);
  await calm();

  heading("3. The writer is cut off from etcd: no packet passes, and no connection is closed.");
  const cut = stage.writer(client);
  await stage.blow(client, cut, "is cut off", () => stage.cutOff(cut));
  const sinceCut = client.acknowledgedBy(cut.address);
  await calm();
  say(
    `${cut.id} acknowledged ${client.acknowledgedBy(cut.address) - sinceCut} writes since then. It is connected again.`,
  );
  await stage.mend(cut);
  await calm();

  heading(
    "4. The writer is paused (SIGSTOP), as a swapping machine or a migrated virtual machine is, and does not notice it.",
  );
  const paused = stage.writer(client);
  await stage.blow(client, paused, "is paused", () => paused.pause());
  await sleep(PAUSED_MS, undefined, { signal });
  const before = client.acknowledgedBy(paused.address);
  paused.resume();
  say(
    `${paused.id} continues after at least ${PAUSED_MS / 1000} s. It still believes that it is the writer, and has puts in its queue.`,
  );
  await calm();
  say(
    `It acknowledged ${client.acknowledgedBy(paused.address) - before} of them after the pause: its next append compared the log's head, and was fenced.`,
  );

  heading("5. A member of etcd gets a SIGKILL. Two of three are a majority.");
  client.takeLongestPause();
  const [member] = stage.etcd.members;
  await member?.kill();
  await calm();
  say(`Writes continue. The longest pause was ${Math.round(client.takeLongestPause())} ms.`);
  await member?.restart();

  heading("6. Is every acknowledged write on every node, with its value?");
  await client.stop();
  const seconds = (performance.now() - started) / 1000;
  stage.end();
  const isKept = await checkNodes(stage.nodes, client.acknowledged);
  const { length } = client.acknowledged;
  say(`${length} writes were acknowledged in ${seconds.toFixed(1)} s. ${refusals(client)}`);
  if (!isKept) return false;
  console.log(
    `\n${colors.bold(`Proved: after a killed, a cut off and a paused writer and a killed member of etcd, all ${length} acknowledged writes are on all three nodes, which are equal byte for byte.`)}`,
  );
  for (const { what, ms } of stage.takeovers)
    console.log(`  ${what}: ${Math.round(ms)} ms until another node acknowledged`);
  return true;
}

function refusals({ refusals }: Client): string {
  const counts = [...refusals].map(([code, count]) => `${count} x ${code}`);
  return counts.length === 0 ? "" : `The client had to repeat writes: ${counts.join(", ")}.`;
}

function heading(text: string): void {
  console.log(`\n${colors.bold(colors.cyan(text))}`);
}

function say(text: string): void {
  console.log(`  ${text}`);
}
