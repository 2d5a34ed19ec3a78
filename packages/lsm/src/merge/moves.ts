/** The result of a cursor's move. */
export type Moved = boolean | Promise<boolean>;

/** Goes on at once if the move needed no disk. */
export function after(moved: Moved, goOn: (moved: boolean) => Moved): Moved {
  return typeof moved === "boolean" ? goOn(moved) : moved.then(goOn);
}

/** All moves of different cursors; those that need the disk wait for it together. */
export function all(moves: readonly Moved[]): boolean[] | Promise<boolean[]> {
  const isReady = moves.every((moved) => typeof moved === "boolean");
  return isReady ? (moves as boolean[]) : Promise.all(moves);
}
