/** What an opening found and went on with. Paths are relative to the disk's root. */
export type LsmWarning =
  /** The last edit of the manifest was not whole: it was never durable. It is not there any more. */
  | {
      readonly kind: "TornEdit";
      readonly path: string;
      readonly offset: number;
      readonly bytes: number;
      readonly message: string;
    }
  /** A whole table that the manifest does not know of: a crash came before the edit that would name it. */
  | {
      readonly kind: "OrphanTable";
      readonly path: string;
      readonly bytes: number;
      readonly isRemoved: boolean;
    }
  /** Left alone. */
  | { readonly kind: "UnknownFile"; readonly path: string };

/** A warning as a sentence for people. */
export function formatLsmWarning(warning: LsmWarning): string {
  switch (warning.kind) {
    case "TornEdit":
      return `${warning.path}: the last edit, ${warning.bytes} bytes at offset ${warning.offset}, was not whole and never durable: ${warning.message}`;
    case "OrphanTable": {
      const fate = warning.isRemoved ? "was removed" : "could not be removed yet";
      return `${warning.path}: a whole table of ${warning.bytes} bytes, and the manifest ends before it: it ${fate}`;
    }
    case "UnknownFile":
      return `${warning.path} is not ours`;
  }
}
