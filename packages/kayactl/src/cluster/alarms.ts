import type { SharedLog } from "@kaya/cluster";

/** What a member of etcd says of itself: it then refuses writes. */
export interface Alarm {
  readonly member: string;
  /** `NOSPACE`: its quota is used up. `CORRUPT`: its data differs from the others'. */
  readonly alarm: string;
}

/** Alarms of the machines that keep the log, as far as it tells them. */
export async function alarmsOf(log: SharedLog): Promise<readonly Alarm[]> {
  if (!("alarms" in log) || typeof log.alarms !== "function") return [];
  try {
    return (await log.alarms()) as readonly Alarm[];
  } catch {
    return []; // a user who may not ask for them may still ask for the rest
  }
}
