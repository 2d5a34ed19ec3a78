import { describe, expect, it } from "vitest";
import { decide, presentWriter } from "../src/election.js";
import type { Members, NodeInfo } from "../src/shared-log.js";
import { head } from "./scripted-log.js";

const node = (id: string, given: Partial<NodeInfo> = {}): NodeInfo => ({
  id,
  address: undefined,
  role: "follower",
  isFollowerOnly: false,
  lsn: 10,
  ...given,
});
const members = (nodes: NodeInfo[], wanted?: string): Members => ({ nodes, wanted });
const ofA = head({ writer: "a" });

function decision(
  self: NodeInfo,
  nodes: NodeInfo[],
  rest: { wanted?: string; hasYielded?: boolean; head?: typeof ofA | undefined } = {},
) {
  const { wanted, hasYielded = false } = rest;
  return decide({
    self,
    head: "head" in rest ? rest.head : ofA,
    members: members(nodes, wanted),
    hasYielded,
  });
}

describe("a node that does not write", () => {
  it("follows while the writer is present", () => {
    expect(decision(node("b"), [node("a", { role: "writer" }), node("b")])).toEqual({ decision: "follow" });
  });

  it("claims a log that nobody has claimed", () => {
    expect(decision(node("b"), [], { head: undefined })).toEqual({
      decision: "claim",
      reason: "first",
      rank: 0,
    });
  });

  it("claims when the writer's presence has expired", () => {
    expect(decision(node("b"), [node("b")])).toEqual({ decision: "claim", reason: "gone", rank: 0 });
  });

  it("claims when the writer is present with another role than writer", () => {
    expect(decision(node("b", { lsn: 11 }), [node("a")])).toMatchObject({
      decision: "claim",
      rank: 0,
    });
  });

  it("claims after a restart, although its own earlier presence still exists", () => {
    expect(decision(node("a"), [node("a", { role: "writer" }), node("b")])).toMatchObject({
      decision: "claim",
    });
  });

  it("comes after nodes that have more of the log, then after nodes with smaller ids", () => {
    const nodes = [node("b", { lsn: 12 }), node("c"), node("d"), node("e", { lsn: 9 })];
    expect(nodes.map((self) => decision(self, nodes))).toMatchObject([
      { rank: 0 },
      { rank: 1 },
      { rank: 2 },
      { rank: 3 },
    ]);
  });

  it("comes after all other nodes when it has stepped down", () => {
    const nodes = [node("a", { lsn: 99 }), node("b"), node("c", { isFollowerOnly: true })];
    expect(decision(nodes[0] as NodeInfo, nodes, { hasYielded: true })).toMatchObject({ rank: 1 });
  });

  it("with the role option follower claims only if it is asked", () => {
    const self = node("b", { isFollowerOnly: true });
    expect(decision(self, [self])).toEqual({ decision: "follow" });
    expect(decision(self, [self, node("a", { role: "writer" })], { wanted: "b" })).toEqual({
      decision: "claim",
      reason: "asked",
    });
  });

  it("comes after the node that was asked", () => {
    expect(decision(node("b", { lsn: 99 }), [node("b"), node("c")], { wanted: "c" })).toMatchObject({
      rank: 1,
    });
  });
});

it("the present writer is the node that made the head and has the role writer", () => {
  const a = node("a", { role: "writer" });
  expect(presentWriter({ head: ofA, members: members([a]) })).toBe(a);
  expect(presentWriter({ head: head({ writer: "b" }), members: members([a]) })).toBeUndefined();
  expect(presentWriter({ head: undefined, members: members([a]) })).toBeUndefined();
});
