import { describe, expect, it } from "vitest";
import { fillAndKill } from "../torture/real/full-disk.mjs";
import { mountSmallFileSystem } from "../torture/real/small-file-system.mjs";

const probe = mountSmallFileSystem("64k");
const reason = "reason" in probe ? probe.reason : undefined;
if ("unmount" in probe) probe.unmount();

describe.skipIf(reason !== undefined)(
  `a full file system${reason === undefined ? "" : ` (${reason})`}`,
  () => {
    it.each([1, 2])(
      "loses nothing to a kill, opens while full, and goes on with space (seed %i)",
      async (seed) => {
        const mounted = mountSmallFileSystem("2m");
        if ("reason" in mounted) throw new Error(mounted.reason);
        try {
          const { acknowledged, rejected } = await fillAndKill({ root: mounted.path, seed, rounds: 3 });
          for (const count of [...acknowledged, ...rejected]) expect(count).toBeGreaterThan(0);
        } finally {
          mounted.unmount();
        }
      },
    );
  },
);
