import type { PartialEngineConfig } from "@kaya/core";
import { Engine } from "@kaya/engine";
import type { SimDisk, WriteFaultRule } from "@kaya/io";
import type { Check } from "./check-run.js";
import { recordOffset } from "./encoded-log.js";
import { engineCheck } from "./engine-check.js";
import { EngineSession } from "./engine-session.js";
import type { EngineWrite } from "./engine-write.js";
import { mustRefuse } from "./refusal.js";
import { type Scenario, scenario } from "./scenario.js";
import { UnmetFaultError } from "./unmet-fault.js";

interface Life {
  readonly name: string;
  readonly losesRelaxed?: boolean;
  readonly automatic?: boolean;
  readonly live: (session: EngineSession, disk: SimDisk) => Promise<void>;
}

/** A fault without its place. */
type Fault = WriteFaultRule extends infer R ? (R extends { at: number } ? Omit<R, "at"> : never) : never;

const FAULTS: readonly Fault[] = [
  { kind: "disk-full" },
  { kind: "partial-write", bytes: 60 },
  { kind: "io-error" },
  { kind: "io-error", outcome: "kept" },
  ...(["readable-until-crash", "kept", "lost"] as const).map(
    (outcome) => ({ kind: "fsync-failed", outcome }) as const,
  ),
];

/** Operations of a checkpoint with a write beside it, a few more or less by what was before: up to its file, and from there on. */
const HALVES: readonly (readonly [name: string, places: readonly number[]])[] = [
  ["as a checkpoint begins", [0, 1, 2, 3, 4, 5, 6, 7]],
  ["as a checkpoint ends", [7, 8, 9, 10, 11, 12, 13, 14]],
];
const LEAST_MET = 2;

const LIVES: readonly Life[] = [
  { name: "a checkpoint, a second one, opened again", live: checkpointTwice },
  { name: "writes beside a running checkpoint", live: writeBeside },
  { name: "crashed and killed inside a checkpoint", live: crashInside },
  { name: "automatic checkpoints", automatic: true, live: writeAlone },
  ...FAULTS.flatMap((fault) =>
    HALVES.map(([where, places]) => ({
      name: `${describeFault(fault)} ${where}`,
      losesRelaxed: "outcome" in fault && fault.outcome === "lost",
      live: (session: EngineSession, disk: SimDisk) => failAt(places, session, disk, fault),
    })),
  ),
];

/** What @kaya/engine promises where there are checkpoints. */
export function engineCheckpointScenarios(config: PartialEngineConfig): Scenario[] {
  const lives = LIVES.map(({ name, losesRelaxed = false, automatic = false, live }) => {
    const checkpoint = { auto: automatic, minLogBytes: 600, logRatio: 0.5 };
    return scenario<EngineWrite>(`engine: ${name}`, {
      workload: (disk, history) =>
        use(
          new EngineSession(disk, history, { config: { ...config, checkpoint }, losesRelaxed }),
          disk,
          live,
        ),
      check: engineCheck(config, { makesCheckpoint: true }),
    });
  });
  return [...lives, damagedScenario(config)];
}

/** Whatever else a crash left, a checkpoint that is damaged is refused; an older one beside it does not take its place. */
function damagedScenario(config: PartialEngineConfig): Scenario {
  const checkIntact = engineCheck(config);
  const check: Check<EngineWrite> = async (disk, view, recovered) => {
    await mustRefuseDamaged(disk, { ...config, disableLocking: true });
    await checkIntact(disk, view, recovered);
  };
  return scenario<EngineWrite>("engine: a damaged checkpoint", {
    workload: (disk, history) => use(new EngineSession(disk, history, { config }), disk, checkpointTwice),
    check,
  });
}

async function use(session: EngineSession, disk: SimDisk, live: Life["live"]): Promise<void> {
  await session.open();
  await live(session, disk);
}

async function mustRefuseDamaged(disk: SimDisk, config: PartialEngineConfig): Promise<void> {
  const files = await disk.list("checkpoint");
  const path = files.findLast((file) => file.path.endsWith(".ckpt"))?.path;
  const bytes = path && disk.readFile(path);
  if (path === undefined || !bytes) return;
  const damages: readonly (readonly [what: string, damage: (fork: SimDisk) => void])[] = [
    ["without its end", (fork) => fork.truncateDurably(path, lastRecordOffset(bytes))],
    ["with a flipped bit", (fork) => fork.flipBit(path, bytes.length >> 1, 3)],
  ];
  for (const [what, damage] of damages) {
    const fork = disk.fork();
    damage(fork);
    await mustRefuse(fork, (damaged) => Engine.open(config, damaged), "KAYA_CORRUPTION", `${path} ${what}`);
  }
}

function lastRecordOffset(bytes: Uint8Array): number {
  let index = 0;
  while (recordOffset(bytes, index + 1) < bytes.length) index++;
  return recordOffset(bytes, index);
}

const long = (length: number): string => "x".repeat(length);

async function checkpointTwice(session: EngineSession): Promise<void> {
  await session.put("a", long(100));
  await session.put("b", long(300), "relaxed");
  await session.delete("a", "relaxed");
  await mustBeMade(session.checkpoint());
  await session.put("a", long(200), "relaxed");
  await Promise.all([session.put("c", long(300)), session.put("d", "", "relaxed")]);
  await mustBeMade(session.checkpoint());
  await session.put("e", long(50), "relaxed");
  await session.close();
  await session.open();
  await session.clear("c", "relaxed");
  await session.put("f");
}

async function writeBeside(session: EngineSession): Promise<void> {
  await session.put("k1", long(150));
  await session.put("k2", long(100), "relaxed");
  const running = session.checkpoint();
  await Promise.all([
    session.put("k3", long(300), "relaxed"),
    session.put("k1"),
    session.delete("k2", "relaxed"),
  ]);
  await session.put("k4", long(350), "relaxed");
  await session.clear("k", "relaxed");
  await mustBeMade(running);
  await session.put("k5", "", "relaxed");
  const both = [session.checkpoint(), session.put("k6", long(90), "relaxed"), session.checkpoint()];
  await session.put("k7", long(20), "relaxed");
  await Promise.all(both);
  await session.put("k8", long(400), "relaxed");
}

async function crashInside(session: EngineSession, disk: SimDisk): Promise<void> {
  for (let n = 0; n < 4; n++) {
    await session.put(`a${n}`, long(150));
    await session.put("same", long(80 * n), "relaxed");
    const end = disk.nextOperation + 5 + 2 * n;
    void session.checkpoint(); // it never ends: the process does
    while (disk.nextOperation < end) await session.put("beside", long(n), "relaxed");
    if (n % 2 === 0) session.kill();
    else session.crash({ survive: "random", seed: n });
    await session.open();
    await session.delete(`a${n - 1}`, "relaxed");
  }
  await session.put("last");
}

async function writeAlone(session: EngineSession): Promise<void> {
  for (let n = 0; n < 12; n++) {
    await session.put(`a${n % 3}`, long(40 * (n % 5)), n % 4 === 0 ? "strict" : "relaxed");
    if (n % 5 === 0) await session.delete(`a${(n + 1) % 3}`, "relaxed");
  }
  await session.close();
}

async function failAt(
  places: readonly number[],
  session: EngineSession,
  disk: SimDisk,
  fault: Fault,
): Promise<void> {
  let met = 0;
  for (const place of places) {
    await session.put("a", long(20 * place));
    await session.put(`b${place % 3}`, long(30), "relaxed");
    const at = disk.nextOperation + place;
    disk.addFault({ ...fault, at });
    await Promise.all([session.checkpoint(), session.put("beside", `${place}`, "relaxed")]);
    if (disk.events.some(({ index, error }) => index === at && error !== undefined)) met++;
    await session.put("d", long(place));
    if (session.engine.failure === undefined) continue;
    await session.close();
    await session.open();
  }
  if (met < LEAST_MET)
    throw new UnmetFaultError(
      `${met} operations of checkpoints met ${describeFault(fault)}, not ${LEAST_MET}`,
    );
}

async function mustBeMade(checkpoint: Promise<boolean>): Promise<void> {
  if (!(await checkpoint)) throw new Error("a checkpoint was refused, and no fault had struck");
}

function describeFault(fault: Fault): string {
  if (fault.kind === "partial-write") return `a write that stops after ${fault.bytes} bytes`;
  return fault.outcome === undefined ? fault.kind : `${fault.kind} (${fault.outcome})`;
}
