import { type Finding, findingsOf } from "./finding.js";
import type { Mount } from "./place.js";

const { ok, note, warning, problem } = findingsOf("file system");

/** Local file systems that keep what they have synced. */
const LOCAL = ["ext2", "ext3", "ext4", "xfs", "f2fs", "jfs", "bcachefs", "apfs", "ufs"];

const NETWORK =
  /^(nfs|cifs|smb|9p$|virtiofs|ceph|gluster|lustre|afs|fuse[.]|fuseblk|fuse$|vboxsf|prl_fs|gpfs|ocfs2|gfs2)/;

/** How a file system treats what Kaya relies on. */
export function judgeFileSystem(mount: Mount | undefined, path: string): Finding[] {
  if (mount === undefined)
    return [
      note(
        `${path}: the system does not tell its type`,
        "Use a local file system whose fsync reaches the disk.",
      ),
    ];
  const { type, point, options } = mount;
  const where = `${type}, mounted at ${point}`;
  const values = { type, point, options };
  return [judgeType(type, where, values), ...judgeOptions(options, where)];
}

function judgeType(type: string, where: string, values: Finding["values"]): Finding {
  if (LOCAL.includes(type)) return ok(where, undefined, values);
  if (type === "tmpfs" || type === "ramfs")
    return warning(
      `${where}: it is in memory`,
      "All data is lost when the machine stops, whatever was acknowledged. Put the directory on a disk.",
      values,
    );
  if (type === "overlay" || type === "aufs")
    return warning(
      `${where}: a layer of a container`,
      "The data goes when the container is removed. Put the directory on a volume.",
      values,
    );
  if (NETWORK.test(type))
    return warning(
      `${where}: another machine or process serves it`,
      "Whether a lock excludes another machine, and whether fsync reaches stable storage, depends on it and was not tested. Use a local file system.",
      values,
    );
  if (type === "btrfs")
    return note(
      `${where}: it copies on write`,
      "Files that are written in small steps fragment: watch the fsync times below.",
      values,
    );
  if (type === "zfs")
    return note(
      `${where}: its fsync goes to the intent log`,
      "`zfs get sync` must not say disabled: then fsync does nothing. A log device (SLOG) makes it fast.",
      values,
    );
  if (/^(v?fat|msdos|exfat|ntfs)/.test(type))
    return warning(
      `${where}: it has no journal, or no owners`,
      "A power cut may damage the file system itself. Use ext4 or xfs.",
      values,
    );
  return note(
    `${where}: Kaya was not tried on it`,
    "Try what a power cut leaves there, or use ext4 or xfs.",
    values,
  );
}

function judgeOptions(options: readonly string[], where: string): Finding[] {
  const found: Finding[] = [];
  if (options.includes("ro"))
    found.push(problem(`${where}: read-only`, "A program can open the data only with readOnly: true."));
  const unsafe = options.filter((each) => ["nobarrier", "barrier=0", "barrier=none"].includes(each));
  if (unsafe.length > 0)
    found.push(
      problem(
        `${where} with ${unsafe.join(", ")}: fsync does not empty the disk's cache`,
        "A power cut can take acknowledged writes. Mount it without that option.",
      ),
    );
  if (options.includes("sync"))
    found.push(
      note(`${where} with sync: each write waits for the disk`, "Relaxed writes are as slow as strict ones."),
    );
  return found;
}
