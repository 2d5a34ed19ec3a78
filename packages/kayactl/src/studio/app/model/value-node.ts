import { decodeText, toHex } from "../lib/bytes.js";

/** A value with structure, as it is drawn: branches can be folded. */
export type ValueNode = Leaf | Branch;

export interface Leaf {
  readonly kind: "leaf";
  readonly type: "string" | "number" | "keyword" | "other";
  readonly text: string;
}

export interface Branch {
  readonly kind: "branch";
  readonly brackets: "{}" | "[]";
  readonly entries: { readonly name?: string; readonly node: ValueNode }[];
}

/** Deeper values are shown as text or hex. */
const MOST_DEPTH = 200;

const TOKEN = /\s*(?:([[\]{}:,])|("(?:[^"\\]|\\.)*")|([^\s[\]{}:,"]+))/gy;

/**
 * JSON as it stands: numbers keep all their digits, objects their order and a name that comes twice. Undefined where the text is no JSON
 * object or array.
 */
export function parseJson(text: string): Branch | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  // It is valid: from here on each token is where it may be.
  const root: Branch = { kind: "branch", brackets: "[]", entries: [] };
  const stack: Branch[] = [root];
  let name: string | undefined;
  let isName = false;
  for (const [, sign, string, other] of text.matchAll(TOKEN)) {
    const top = stack.at(-1) ?? root;
    if (sign === "{" || sign === "[") {
      const branch: Branch = { kind: "branch", brackets: sign === "{" ? "{}" : "[]", entries: [] };
      top.entries.push(withName(name, branch));
      stack.push(branch);
      if (stack.length > MOST_DEPTH) return undefined;
      name = undefined;
      isName = sign === "{";
    } else if (sign === "}" || sign === "]") {
      stack.pop();
    } else if (sign === ",") {
      isName = top.brackets === "{}";
    } else if (sign === ":") {
      isName = false;
    } else if (string !== undefined && isName) {
      name = string;
    } else {
      const leaf: Leaf =
        string !== undefined
          ? { kind: "leaf", type: "string", text: string }
          : { kind: "leaf", type: /^[-\d]/.test(other ?? "") ? "number" : "keyword", text: other ?? "" };
      top.entries.push(withName(name, leaf));
      name = undefined;
    }
  }
  const value = root.entries[0]?.node;
  return value?.kind === "branch" ? value : undefined;
}

function withName(name: string | undefined, node: ValueNode): Branch["entries"][number] {
  return name === undefined ? { node } : { name, node };
}

/** A value of JavaScript, as a decoder gives it. Undefined where it is too deep. */
export function nodeOf(value: unknown, depth = 0): ValueNode | undefined {
  if (depth > MOST_DEPTH) return undefined;
  if (typeof value === "string") return { kind: "leaf", type: "string", text: JSON.stringify(value) };
  if (typeof value === "number")
    return { kind: "leaf", type: "number", text: Object.is(value, -0) ? "-0" : String(value) };
  if (typeof value === "bigint") return { kind: "leaf", type: "number", text: String(value) };
  if (value === null || typeof value === "boolean" || value === undefined)
    return { kind: "leaf", type: "keyword", text: String(value) };
  if (value instanceof Uint8Array) return { kind: "leaf", type: "other", text: bytesText(value) };
  if (value instanceof Date) return { kind: "leaf", type: "other", text: dateText(value) };
  const isArray = Array.isArray(value);
  const branch: Branch = { kind: "branch", brackets: isArray ? "[]" : "{}", entries: [] };
  for (const [name, member] of Object.entries(value)) {
    const node = nodeOf(member, depth + 1);
    if (node === undefined) return undefined;
    branch.entries.push(isArray ? { node } : { name: JSON.stringify(name), node });
  }
  return branch;
}

function dateText(date: Date): string {
  return Number.isNaN(date.getTime()) ? "a time that is none" : date.toISOString();
}

function bytesText(bytes: Uint8Array): string {
  const text = decodeText(bytes);
  return text === undefined || bytes.length === 0 ? `bytes ${toHex(bytes)}` : `bytes ${JSON.stringify(text)}`;
}

/** A line of the drawing. */
export interface NodeLine {
  readonly depth: number;
  readonly name?: string;
  readonly leaf?: Leaf;
  /** The line that opens it. */
  readonly branch?: Branch;
  readonly isOpen?: boolean;
  /** The line that closes it. */
  readonly closes?: Branch;
  readonly hasComma: boolean;
  /** From 1 on, of `siblings`. */
  readonly position: number;
  readonly siblings: number;
}

/** @param open which branches show what they hold */
export function linesOf(root: ValueNode, open: ReadonlySet<Branch>): NodeLine[] {
  const lines: NodeLine[] = [];
  const add = (
    node: ValueNode,
    place: Pick<NodeLine, "depth" | "name" | "hasComma" | "position" | "siblings">,
  ) => {
    if (node.kind === "leaf") {
      lines.push({ ...place, leaf: node });
      return;
    }
    const isOpen = open.has(node) && node.entries.length > 0;
    lines.push({ ...place, branch: node, isOpen });
    if (!isOpen) return;
    const siblings = node.entries.length;
    for (const [index, entry] of node.entries.entries()) {
      const { name } = entry;
      const position = index + 1;
      const depth = place.depth + 1;
      add(entry.node, {
        depth,
        hasComma: position < siblings,
        position,
        siblings,
        ...(name !== undefined && { name }),
      });
    }
    lines.push({ ...place, closes: node });
  };
  add(root, { depth: 0, hasComma: false, position: 1, siblings: 1 });
  return lines;
}

/** Entries that are shown unfolded at first. */
const MOST_UNFOLDED = 400;

/** The branches that are open at first: all of a small value, of a large one the outer ones. */
export function openedAtFirst(root: ValueNode): Set<Branch> {
  const open = new Set<Branch>();
  let shown = 0;
  let level: ValueNode[] = [root];
  while (level.length > 0) {
    const next: ValueNode[] = [];
    for (const node of level) {
      if (node.kind === "leaf") continue;
      shown += node.entries.length;
      if (shown > MOST_UNFOLDED && node !== root) return open;
      open.add(node);
      for (const entry of node.entries) next.push(entry.node);
    }
    level = next;
  }
  return open;
}

export function branchesOf(root: ValueNode): Branch[] {
  if (root.kind === "leaf") return [];
  return [root, ...root.entries.flatMap(({ node }) => branchesOf(node))];
}
