import { Engine } from "@kaya/engine";
import type { Disk, DiskFile } from "@kaya/io";
import type { EngineOpener, SimulationTarget } from "../../src/index.js";

/** A deliberate bug, made from outside: the engine's own code has no switch for it. */
export interface PlantedBug {
  readonly name: string;
  readonly target: SimulationTarget;
  /** Seeds from 1 on within which the simulation must find it, 200 steps each. */
  readonly within: number;
  /** A seed that found it when this was written. It is tried first. */
  readonly seed?: number;
}

const LONG_WRITE_BYTES = 160;

function onFiles(change: (file: DiskFile) => Partial<DiskFile>): SimulationTarget {
  return {
    wrapDisk: (disk) =>
      withDisk(disk, {
        open: async (path, options) => {
          const file = await disk.open(path, options);
          return { ...file, ...change(file) };
        },
      }),
  };
}

export function withDisk(disk: Disk, change: Partial<Disk>): Disk {
  return {
    open: (path, options) => disk.open(path, options),
    list: (dir) => disk.list(dir),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDir: (dir) => disk.syncDir(dir),
    lock: (path) => disk.lock(path),
    ...change,
  };
}

/** An engine with some of its methods replaced. */
export function withEngine(change: (engine: Engine) => Partial<Engine>): { readonly open: EngineOpener } {
  return {
    open: async (config, disk, options) => {
      const engine = await Engine.open(config, disk, options);
      const changed = change(engine);
      return new Proxy(engine, {
        get(target, name) {
          const own: unknown = Reflect.get(changed, name);
          if (own !== undefined) return own;
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
}

const noTruncateThenSync = onFiles((file) => {
  let justCut = false;
  return {
    truncate: async (length) => {
      justCut = true;
      await file.truncate(length);
    },
    sync: async () => {
      if (!justCut) await file.sync();
      justCut = false;
    },
  };
});

export const PLANTED_BUGS: readonly PlantedBug[] = [
  { name: "sync does nothing", within: 5, target: onFiles(() => ({ sync: async () => undefined })) },
  {
    name: "syncDir does nothing",
    within: 5,
    target: { wrapDisk: (disk) => withDisk(disk, { syncDir: async () => undefined }) },
  },
  {
    name: "every fourth sync of a file does nothing",
    within: 20,
    seed: 4,
    target: onFiles((file) => {
      let syncs = 0;
      return { sync: async () => (++syncs % 4 === 0 ? undefined : file.sync()) };
    }),
  },
  {
    name: "a failed sync is taken for a good one",
    within: 10,
    target: onFiles((file) => ({ sync: () => file.sync().catch(() => undefined) })),
  },
  {
    name: "a failed syncDir is taken for a good one",
    within: 20,
    target: {
      wrapDisk: (disk) => withDisk(disk, { syncDir: (dir) => disk.syncDir(dir).catch(() => undefined) }),
    },
  },
  {
    name: "a failed write is not taken back",
    within: 20,
    target: onFiles(() => ({ truncate: async () => undefined })),
  },
  { name: "what is taken back is not synced", within: 40, target: noTruncateThenSync },
  {
    name: "a failed write is taken for a good one",
    within: 10,
    target: onFiles((file) => ({
      append: async (bytes) => {
        const start = await file.length();
        return file.append(bytes).catch(() => start);
      },
    })),
  },
  {
    name: "the last byte of a long write is lost",
    within: 5,
    target: onFiles((file) => ({
      append: (bytes) =>
        file.append(
          bytes instanceof Uint8Array && bytes.length > LONG_WRITE_BYTES ? bytes.slice(0, -1) : bytes,
        ),
    })),
  },
  {
    name: "the page cache is trusted after a failed sync",
    within: 200,
    target: {
      wrapDisk: (disk) =>
        withDisk(disk, {
          lock: async (path) => {
            const lock = await disk.lock(path);
            return {
              cleanStart: true,
              mark: undefined,
              lastMark: undefined,
              release: (options) => lock.release(options),
            };
          },
        }),
    },
  },
  {
    name: "nobody is kept out",
    within: 15,
    target: {
      wrapDisk: (disk) =>
        withDisk(disk, {
          lock: async () => ({
            cleanStart: false,
            mark: undefined,
            lastMark: undefined,
            release: async () => undefined,
          }),
        }),
    },
  },
  {
    name: "a strict write is answered before it is synced",
    within: 5,
    target: withEngine((engine) => ({
      put: async (key, value) => ({
        ...(await engine.put(key, value, { durability: "relaxed" })),
        durable: true,
      }),
    })),
  },
  {
    name: "sync answers at once",
    within: 10,
    target: withEngine(() => ({ sync: async () => undefined })),
  },
  {
    name: "a batch is not all or nothing",
    within: 5,
    target: withEngine((engine) => ({
      batch: async (operations, options) => {
        const writes = operations.map((operation) => engine.batch([operation], options));
        return (await Promise.all(writes)).at(-1) ?? engine.batch(operations, options);
      },
    })),
  },
  {
    name: "the input is read after the call returned",
    within: 5,
    target: withEngine((engine) => ({
      put: async (key, value, options) => {
        await undefined;
        return engine.put(key, value, options);
      },
    })),
  },
  {
    name: "a reverse scan ignores its limit",
    within: 30,
    seed: 13,
    target: withEngine((engine) => ({
      scan: ({ limit, ...range } = {}) =>
        engine.scan(range.reverse === true || limit === undefined ? range : { ...range, limit }),
    })),
  },
  {
    name: "a snapshot is not a point in time",
    within: 30,
    target: withEngine((engine) => ({
      snapshot: () => {
        const snapshot = engine.snapshot();
        return new Proxy(snapshot, {
          get(target, name) {
            if (name === "getSync") return engine.getSync.bind(engine);
            const value: unknown = Reflect.get(target, name, target);
            return typeof value === "function" ? value.bind(target) : value;
          },
        });
      },
    })),
  },
  {
    name: "the bytes of a table are not synced",
    within: 10,
    target: onFiles((file) => (file.path.startsWith("sst/") ? { sync: async () => undefined } : {})),
  },
  {
    name: "the name of a table is not synced",
    within: 20,
    target: {
      wrapDisk: (disk) =>
        withDisk(disk, { syncDir: async (dir) => (dir === "sst" ? undefined : disk.syncDir(dir)) }),
    },
  },
  {
    name: "an edit of the manifest is not synced",
    within: 20,
    target: onFiles((file) => (file.path.endsWith(".manifest") ? { sync: async () => undefined } : {})),
  },
  {
    name: "a flush is answered before it is made",
    within: 20,
    target: withEngine((engine) => ({
      flush: async () => {
        const { lastLsn: lsn, lastSequence: sequence } = engine.stats();
        void engine.flush().catch(() => undefined);
        return { lsn, sequence, bytes: 0, entries: 0, segmentsDropped: 0, durationMs: 0 };
      },
    })),
  },
  {
    name: "count counts only what is in memory",
    within: 20,
    target: withEngine((engine) => ({ count: async () => engine.stats().memtable.entries })),
  },
  {
    name: "close tells of no failure",
    within: 60,
    seed: 37,
    target: withEngine((engine) => ({
      close: async () => {
        await engine.close().catch(() => undefined);
      },
    })),
  },
];
