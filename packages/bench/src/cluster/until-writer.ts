import type { ClusterEngine } from "@kaya/cluster";

/** Resolves when the node accepts writes. */
export async function untilWriter(db: ClusterEngine): Promise<void> {
  if (db.role === "writer") return;
  await new Promise<void>((resolve) => {
    db.on("role", (role) => {
      if (role === "writer") resolve();
    });
  });
}
