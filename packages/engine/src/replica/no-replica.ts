import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { REPLICA_PATH } from "../replica-path.js";
import { readMarker } from "./replica-marker.js";

/** Refuses a replica, because an ordinary engine would write records that are not in the shared log. @throws KayaError KAYA_INVALID_ARGUMENT */
export async function assertNoReplica(disk: Disk): Promise<void> {
  const marker = await readMarker(disk);
  if (marker === undefined) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${disk.root ?? "the disk"} is a replica of the log ${marker.logId} (${marker.logName}): its ${REPLICA_PATH} says so. Nothing was changed. ` +
      "Open it with ClusterEngine, or with `readOnly: true`; or make it an ordinary store with leaveCluster of @kaya/engine/replica.",
  );
}
