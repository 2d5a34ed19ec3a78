import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { SimDisk } from "../src/index.js";

vi.setConfig({ testTimeout: 120_000 });

type Write = { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array };
type Truncate = { readonly kind: "truncate"; readonly length: number };
type Sync = { readonly kind: "sync"; readonly fault?: "readable-until-crash" | "kept" | "lost" };
type Step = Write | Truncate | Sync;

const position = fc.oneof(fc.nat(20), fc.nat(3000));
const write: fc.Arbitrary<Step> = fc
  .tuple(
    position,
    fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 2000 })),
    fc.integer({ min: 1, max: 255 }),
  )
  .map(([at, length, value]) => ({ kind: "write", position: at, bytes: new Uint8Array(length).fill(value) }));
const truncate: fc.Arbitrary<Step> = position.map((length) => ({ kind: "truncate", length }));
const sync: fc.Arbitrary<Step> = fc.constant({ kind: "sync" });
const failedSync: fc.Arbitrary<Step> = fc
  .constantFrom("readable-until-crash", "kept", "lost")
  .map((fault) => ({ kind: "sync", fault }));

/** The same rules, written as plainly as can be. */
function applied(image: readonly number[], step: Step): number[] {
  const next = [...image];
  const reach = (length: number) => {
    while (next.length < length) next.push(0);
  };
  if (step.kind === "truncate") {
    reach(step.length);
    next.length = step.length;
  } else if (step.kind === "write") {
    reach(step.position + step.bytes.length);
    next.splice(step.position, step.bytes.length, ...step.bytes);
  }
  return next;
}

class Model {
  live: number[] = [];
  stable: number[] = [];
  pending: (Write | Truncate)[] = [];

  step(step: Step): void {
    if (step.kind !== "sync") {
      this.live = applied(this.live, step);
      this.pending.push(step);
      return;
    }
    if (step.fault === undefined || step.fault === "kept")
      this.stable = this.pending.reduce(applied, this.stable);
    this.pending = [];
    if (step.fault === "lost") this.live = [...this.stable];
  }
}

async function run(steps: readonly Step[]) {
  const disk = new SimDisk({ seed: 1 });
  const model = new Model();
  disk.writeFile("file", new Uint8Array(0));
  const file = await disk.open("file");
  for (const step of steps) {
    model.step(step);
    if (step.kind === "write") await file.writeAt(step.position, step.bytes);
    else if (step.kind === "truncate") await file.truncate(step.length);
    else if (step.fault === undefined) await file.sync();
    else {
      disk.addFault({ at: disk.nextOperation, kind: "fsync-failed", outcome: step.fault });
      await expect(file.sync()).rejects.toThrow();
    }
    expect([...(disk.readFile("file") ?? [])]).toEqual(model.live);
    expect([...(disk.stableFile("file") ?? [])]).toEqual(model.stable);
  }
  return { disk, model };
}

describe("a file on SimDisk, beside a naive model", () => {
  it("reads, syncs, fails to sync and loses the same bytes, whatever a crash keeps", async () => {
    const steps = fc.array(fc.oneof(write, write, truncate, sync, failedSync), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(steps, fc.infiniteStream(fc.boolean()), async (sequence, choices) => {
        const { disk, model } = await run(sequence);
        const kept: boolean[] = [];
        disk.crash({
          decide: () => {
            kept.push(choices.next().value === true);
            return kept.at(-1) ? "kept" : "lost";
          },
        });
        expect(kept).toHaveLength(model.pending.length);
        const left = model.pending.filter((_, i) => kept[i]).reduce(applied, model.stable);
        expect([...(disk.readFile("file") ?? [])]).toEqual(left);
        expect([...(disk.stableFile("file") ?? [])]).toEqual(left);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it("a random crash leaves every byte outside unsynced writes old or zero, and inside them nothing foreign but garbage", async () => {
    const steps = fc.array(fc.oneof(write, write, truncate, sync), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (sequence, seed) => {
        const { disk, model } = await run(sequence);
        const { stable, pending } = model;
        const report = disk.crash({ survive: "random", seed });
        const left = disk.readFile("file") ?? new Uint8Array(0);
        const lengths = pending.map((step) =>
          step.kind === "write" ? step.position + step.bytes.length : step.length,
        );
        const cuts = pending.flatMap((step) => (step.kind === "truncate" ? [step.length] : []));
        expect(left.length).toBeLessThanOrEqual(Math.max(stable.length, ...lengths));
        expect(left.length).toBeGreaterThanOrEqual(Math.min(stable.length, ...cuts));

        const garbage = pending.filter((_, i) => report.items[i]?.torn?.rest === "garbage");
        const covers = (step: Step, at: number) =>
          step.kind === "write" && at >= step.position && at < step.position + step.bytes.length;
        for (const [at, byte] of left.entries()) {
          if (garbage.some((step) => covers(step, at))) continue;
          const written = pending.flatMap((step) =>
            step.kind === "write" && covers(step, at) ? [step.bytes[0]] : [],
          );
          const mayBeZero = at >= stable.length || written.length > 0 || cuts.some((cut) => cut <= at);
          const allowed = [...written, stable[at], mayBeZero ? 0 : undefined];
          if (!allowed.includes(byte)) expect.fail(`byte ${byte} at ${at}, allowed: ${allowed}`);
        }
      }),
      { numRuns: 200 },
    );
  }, 60_000);
});

describe("directories on SimDisk, beside a naive model", () => {
  const paths = ["a/1", "a/2", "a/3", "b/1", "b/2"];
  const path = fc.constantFrom(...paths);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("create" as const), path }),
    fc.record({ kind: fc.constant("remove" as const), path }),
    fc.record({ kind: fc.constant("rename" as const), path, target: path }),
    fc.record({ kind: fc.constant("syncDir" as const), path: fc.constantFrom("a", "b") }),
  );
  type Names = Map<string, number>;
  type Change = (names: Names) => void;

  const directoryOf = (name: string) => name.slice(0, 1);

  it("any subset of unsynced names survives, and each of them is the file that it was given to", async () => {
    const choices = fc.infiniteStream(fc.boolean());
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), choices, async (steps, survives) => {
        const disk = new SimDisk();
        for (const dir of ["a", "b"]) disk.writeFile(`${dir}/anchor`, new Uint8Array(0));
        const live: Names = new Map();
        const stable: Names = new Map();
        const pending: Record<string, Change[]> = { a: [], b: [] };
        const change = (dir: string, apply: Change) => {
          apply(live);
          pending[dir]?.push(apply);
        };
        let made = 0;

        for (const { kind, path: name, ...rest } of steps) {
          if (kind === "create" && !live.has(name)) {
            const content = ++made;
            const file = await disk.open(name, { create: true });
            await file.append(Uint8Array.of(content));
            await file.sync();
            change(directoryOf(name), (names) => names.set(name, content));
          } else if (kind === "remove") {
            await disk.remove(name);
            if (live.has(name)) change(directoryOf(name), (names) => names.delete(name));
          } else if (kind === "syncDir") {
            await disk.syncDir(name);
            for (const apply of pending[name]?.splice(0) ?? []) apply(stable);
          } else if (kind === "rename") {
            const target = (rest as { target: string }).target;
            const content = live.get(name);
            if (content === undefined || name === target) continue;
            await disk.rename(name, target);
            const add: Change = (names) => names.set(target, content);
            const drop: Change = (names) => names.delete(name);
            if (directoryOf(name) === directoryOf(target)) {
              change(directoryOf(name), (names) => {
                drop(names);
                add(names);
              });
            } else {
              change(directoryOf(target), add);
              change(directoryOf(name), drop);
            }
          }
        }

        const namesOf = () =>
          new Map(
            paths.flatMap((name) =>
              [...(disk.readFile(name) ?? [])].map((content) => [name, content] as const),
            ),
          );
        const sorted = (names: Names) => [...names].sort();
        expect(sorted(namesOf())).toEqual(sorted(live));

        const kept: boolean[] = [];
        disk.crash({
          decide: () => {
            kept.push(survives.next().value === true);
            return kept.at(-1) ? "kept" : "lost";
          },
        });
        const unsynced = [...(pending.a ?? []), ...(pending.b ?? [])];
        expect(kept).toHaveLength(unsynced.length);
        for (const [i, apply] of unsynced.entries()) if (kept[i]) apply(stable);
        expect(sorted(namesOf())).toEqual(sorted(stable));
      }),
      { numRuns: 200 },
    );
  }, 60_000);
});
