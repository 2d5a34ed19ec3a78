import type { Lsn } from "@kaya/core";

/** What a decoder found wrong with the bytes at `offset`, in the order of its checks (FORMAT.md). */
export type RecordWarning =
  | { readonly kind: "PartialHeader"; readonly offset: number }
  | { readonly kind: "BadMagic"; readonly offset: number; readonly found: number }
  | { readonly kind: "UnsupportedVersion"; readonly offset: number; readonly found: number }
  | { readonly kind: "BadHeaderLength"; readonly offset: number; readonly found: number }
  | { readonly kind: "UnknownFlags"; readonly offset: number; readonly found: number }
  | { readonly kind: "UnknownRecordType"; readonly offset: number; readonly found: number }
  | {
      readonly kind: "OversizedPayload";
      readonly offset: number;
      readonly found: number;
      readonly max: number;
    }
  | {
      readonly kind: "BadHeaderChecksum";
      readonly offset: number;
      readonly expected: number;
      readonly actual: number;
    }
  | {
      readonly kind: "PartialPayload";
      readonly offset: number;
      readonly expected: number;
      readonly actual: number;
    }
  | {
      readonly kind: "BadPayloadChecksum";
      readonly offset: number;
      readonly expected: number;
      readonly actual: number;
    }
  | { readonly kind: "MalformedPayload"; readonly offset: number; readonly message: string }
  | { readonly kind: "UnknownOperation"; readonly offset: number; readonly found: number };

/** Whether the record's header holds: the damage is inside the record, whose length is known. */
export function isInsideRecord({ kind }: RecordWarning): boolean {
  return kind === "BadPayloadChecksum" || kind === "MalformedPayload" || kind === "UnknownOperation";
}

/** What recovery and inspection add. Paths are relative to the disk's root. */
export type LogWarning =
  | { readonly kind: "NonMonotonicLsn"; readonly offset: number; readonly expected: Lsn; readonly found: Lsn }
  | {
      readonly kind: "TailTruncated";
      readonly path: string;
      readonly validLength: number;
      readonly truncatedBytes: number;
    }
  | {
      /** Records are gone that were on stable storage when the log was closed cleanly. */
      readonly kind: "LostSinceClose";
      readonly path: string;
      readonly lastLsn: Lsn;
      readonly closedLsn: Lsn;
    }
  | { readonly kind: "TrailingSegmentsIgnored"; readonly count: number }
  | {
      readonly kind: "ValidRecordsBeyondDamage";
      readonly count: number;
      readonly firstOffset: number;
      readonly firstLsn: Lsn;
      readonly lastLsn: Lsn;
    }
  | { readonly kind: "Quarantined"; readonly path: string; readonly from: number; readonly bytes: number }
  | { readonly kind: "QuarantineCleaned"; readonly files: number; readonly bytes: number }
  | { readonly kind: "ZeroFilledTail"; readonly offset: number; readonly bytes: number }
  | { readonly kind: "UnknownFile"; readonly path: string }
  | { readonly kind: "DamagedLogId"; readonly path: string }
  | { readonly kind: "LogIdRemoved"; readonly path: string };

/** What a decoder, recovery or inspection found that is not as it should be. */
export type WalWarning = RecordWarning | LogWarning;

/** A warning as a sentence for people. */
export function formatWarning(warning: WalWarning): string {
  switch (warning.kind) {
    case "PartialHeader":
      return `offset ${warning.offset}: the log ends inside a record's header`;
    case "BadMagic":
      return `offset ${warning.offset}: no record begins here (found ${hex(warning.found)} for the magic)`;
    case "UnsupportedVersion":
      return `offset ${warning.offset}: format version ${warning.found} is not known to this code`;
    case "BadHeaderLength":
      return `offset ${warning.offset}: the header says that it is ${warning.found} bytes long`;
    case "UnknownFlags":
      return `offset ${warning.offset}: unknown flags ${hex(warning.found)}`;
    case "UnknownRecordType":
      return `offset ${warning.offset}: unknown record type ${warning.found}`;
    case "OversizedPayload":
      return `offset ${warning.offset}: a payload of ${warning.found} bytes is over the limit of ${warning.max}`;
    case "BadHeaderChecksum":
      return `offset ${warning.offset}: the header's checksum is wrong (${mismatch(warning)})`;
    case "PartialPayload":
      return `offset ${warning.offset}: the log ends inside a record (${warning.actual} of its ${warning.expected} bytes are there)`;
    case "BadPayloadChecksum":
      return `offset ${warning.offset}: the payload's checksum is wrong (${mismatch(warning)})`;
    case "MalformedPayload":
      return `offset ${warning.offset}: ${warning.message}`;
    case "UnknownOperation":
      return `offset ${warning.offset}: a batch has an operation with the unknown code ${warning.found}`;
    default:
      return formatLogWarning(warning);
  }
}

function formatLogWarning(warning: LogWarning): string {
  switch (warning.kind) {
    case "NonMonotonicLsn":
      return `offset ${warning.offset}: found LSN ${warning.found} where ${warning.expected} must follow`;
    case "TailTruncated":
      return `${warning.path}: ${warning.truncatedBytes} bytes behind offset ${warning.validLength} are not part of the log`;
    case "LostSinceClose":
      return (
        `${warning.path}: the log is whole up to LSN ${warning.lastLsn} only, and was closed cleanly with LSN ${warning.closedLsn} ` +
        "on stable storage: no crash did this"
      );
    case "TrailingSegmentsIgnored":
      return `not part of the log any more: ${warning.count} later ${warning.count === 1 ? "segment" : "segments"}`;
    case "ValidRecordsBeyondDamage":
      return (
        `valid records behind the damage: ${warning.count}, the first at offset ${warning.firstOffset} ` +
        `(LSN ${warning.firstLsn} to ${warning.lastLsn}): unsynced writes that reached the disk out of order, or bit rot`
      );
    case "Quarantined":
      return `${warning.bytes} bytes from offset ${warning.from} were kept as ${warning.path}`;
    case "QuarantineCleaned":
      return `${warning.files} torn ${warning.files === 1 ? "end" : "ends"} of ${warning.bytes} bytes went out of quarantine, over quarantineMaxBytes`;
    case "ZeroFilledTail":
      return `offset ${warning.offset}: only zeros follow (${warning.bytes} bytes): space that was never written`;
    case "UnknownFile":
      return `${warning.path} is not a segment: left alone`;
    case "DamagedLogId":
      return `${warning.path} is damaged and not believed: the log gets a new id, and change tokens from before are refused`;
    case "LogIdRemoved":
      return `${warning.path} was removed before the log was cut, for there was no room to change it: change tokens from before are refused`;
  }
}

/** A warning as `key=value` pairs, one line, for a log or a script. */
export function formatWarningFields(warning: WalWarning): string {
  const { kind, ...fields } = warning;
  const name = (key: string) => (key === "firstOffset" ? "offset" : key);
  const ordered = Object.entries(fields).sort(
    ([a], [b]) => Number(name(b) === "offset") - Number(name(a) === "offset"),
  );
  const pairs = ordered.map(([key, value]) => `${name(key)}=${fieldText(kind, key, value)}`);
  const offsetFirst = pairs[0]?.startsWith("offset=")
    ? [pairs[0], `kind=${kind}`, ...pairs.slice(1)]
    : [`kind=${kind}`, ...pairs];
  return offsetFirst.join(" ");
}

function fieldText(kind: WalWarning["kind"], key: string, value: unknown): string {
  if (typeof value === "string") return /[\s="]/.test(value) ? JSON.stringify(value) : value;
  const inHex = kind.endsWith("Checksum") || kind === "BadMagic" || kind === "UnknownFlags";
  return inHex && key !== "offset" ? hex(Number(value)) : String(value);
}

function mismatch(warning: { expected: number; actual: number }): string {
  return `the bytes give ${hex(warning.expected)}, the record stores ${hex(warning.actual)}`;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
