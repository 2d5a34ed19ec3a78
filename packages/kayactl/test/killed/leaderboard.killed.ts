import assert from "node:assert/strict";
import { Engine, json } from "@kaya/engine";
import { Leaderboard } from "./leaderboard.js";
import type { Say } from "./main.js";

const PLAYERS = 5;
/** Points that a process may have added and not told of: its workers' last ones. */
const UNTOLD = 20;

export async function check(dataDir: string, said: readonly string[]): Promise<void> {
  await using db = await Engine.open({ dataDir });
  const scores = new Map(
    await db.view({ prefix: "scores:", key: "utf8", value: json<number>() }).entries().toArray(),
  );
  const board = new Leaderboard(db);
  const places = await board.top(PLAYERS + 1);
  const byScore = [...scores].map(([player, score]) => ({ player, score }));
  byScore.sort((a, b) => b.score - a.score || (a.player < b.player ? -1 : 1));
  assert.deepEqual(places, byScore, "the places are not those of the scores");
  const told = new Map<string, number>();
  for (const line of said) told.set(line, (told.get(line) ?? 0) + 1);
  for (const [player, points] of told) {
    const score = scores.get(player) ?? 0;
    assert(score >= points, `${player} has ${score} points, and was told of ${points}`);
    assert(score <= points + UNTOLD, `${player} has ${score} points, and got ${points}`);
  }
  for (const { player, score } of places)
    assert.equal(await board.rank(player), 1 + places.filter((other) => other.score > score).length);
}

export async function work(dataDir: string, say: Say): Promise<void> {
  const board = new Leaderboard(await Engine.open({ dataDir }));
  const play = async (player: string) => {
    for (;;) {
      await board.add(player, 1);
      say(player);
    }
  };
  const players = Array.from({ length: PLAYERS }, (_, index) => `player ${index}`);
  await Promise.all([...players, ...players.slice(0, 2)].map(play));
}
