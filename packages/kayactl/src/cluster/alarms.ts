import type { SharedLog } from "@kaya/cluster";

/** An alarm of a member of etcd. The member then refuses writes. */
export interface Alarm {
  readonly member: string;
  /** `NOSPACE`: its quota is used up. `CORRUPT`: its data differs from that of other members. */
  readonly alarm: string;
}

/** The alarms of the machines that keep the log, if the log can report them. */
export async function alarmsOf(log: SharedLog): Promise<readonly Alarm[]> {
  if (!("alarms" in log) || typeof log.alarms !== "function") return [];
  try {
    return (await log.alarms()) as readonly Alarm[];
  } catch {
    return []; // the user may have no permission for alarms, but for everything else
  }
}
