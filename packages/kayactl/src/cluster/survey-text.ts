import { columns, table } from "../terminal/columns.js";
import type { Colors } from "../terminal/output.js";
import { escapeText } from "../terminal/text.js";
import { formatBytes, formatCount, plural } from "../units.js";
import type { ClusterLook, NodeLook } from "./survey.js";

/** The result of a survey in lines, for people. */
export function clusterLines(look: ClusterLook, colors: Colors): string[] {
  return [...table(rowsOf(look)).split("\n"), ...nodeLines(look), ...findingLines(look, colors)];
}

function rowsOf({
  log,
  epoch,
  writer,
  lsn,
  tail,
  base,
  wanted,
}: ClusterLook): [name: string, value: string][] {
  return [
    ["log", escapeText(log)],
    ["epoch", formatCount(epoch)],
    ["writer", formatWriter(writer)],
    ["last LSN", formatCount(lsn)],
    ["tail", `${formatBytes(tail.bytes)} (default bound: ${formatBytes(tail.defaultLimitBytes)})`],
    [
      "base",
      base === undefined
        ? "none"
        : `LSN ${formatCount(base.lsn)}, ${formatCount(lsn - base.lsn)} before the last`,
    ],
    ...(wanted === undefined
      ? []
      : ([["asked to write", escapeText(wanted)]] as const).map(([a, b]): [string, string] => [a, b])),
  ];
}

function formatWriter({ id, address, isThere }: ClusterLook["writer"]): string {
  const at = address === undefined ? "" : ` at ${escapeText(address)}`;
  return `${escapeText(id)}${at}${isThere ? "" : " (not there)"}`;
}

function nodeLines({ nodes }: ClusterLook): string[] {
  if (nodes.length === 0) return [];
  const rows = nodes.map((node) => [
    escapeText(node.id),
    formatRole(node),
    formatCount(node.lsn),
    formatLag(node),
    escapeText(node.address ?? "-"),
  ]);
  return ["", ...columns([["node", "role", "LSN", "behind", "address"], ...rows], [0, 1, 4])];
}

function formatRole({ role, isFollowerOnly }: NodeLook): string {
  return role === "follower" && isFollowerOnly ? "follower only" : role;
}

function formatLag({ lag, isBehindTrim }: NodeLook): string {
  return isBehindTrim ? `${plural(lag, "record")}, needs trimmed records` : plural(lag, "record");
}

/** One sentence for each finding. */
export function findingLines({ findings }: ClusterLook, colors: Colors): string[] {
  return findings.map(({ level, message }) => {
    const name = level === "problem" ? colors.red("problem:") : colors.yellow("warning:");
    return `${name} ${escapeText(message)}`;
  });
}

/** The result on one line, for a file or another program. */
export function clusterLine({ epoch, writer, lsn, tail, base, nodes, findings }: ClusterLook): string {
  const fields: [string, string | number][] = [
    ["epoch", epoch],
    ["writer", writer.isThere ? inOneWord(writer.id) : "none"],
    ["lsn", lsn],
    ["tail_bytes", tail.bytes],
    ["base_lsn", base?.lsn ?? "none"],
    ["nodes", nodes.map(({ id, lag }) => `${inOneWord(id)}:${lag}`).join(",") || "none"],
    ["findings", findings.map(({ kind }) => kind).join(",") || "none"],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(" ");
}

/** Makes one word of an id, which may contain a space. */
function inOneWord(id: string): string {
  return escapeText(id).replaceAll(/\s/g, "_");
}
