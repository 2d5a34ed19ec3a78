/**
 * Bugs that one fault never shows, wherever it strikes: each needs a second one in what follows the first. `--one-fault` shows that.
 *
 * @type {import("./mutants.mjs").Mutant[]}
 */
export const TWO_FAULT_MUTANTS = [
  {
    name: "the writer goes on, and uses its LSN again, where a failed write could not be taken back",
    rule: "W3",
    first: "two faults: appends",
    file: "wal/dist/group-commit.js",
    find: `this.#poison(notUndone(error, undoError));
            return;
        }
        if (this.#segments.isTailFinished)`,
    replace: `}
        if (this.#segments.isTailFinished)`,
  },
  {
    name: "a failed write that is cut at the second attempt is not cut durably",
    rule: "W3",
    first: "two faults: appends",
    file: "wal/dist/segment-store.js",
    find: "await file.truncate(this.#open.end);",
    replace: `try {
            await file.truncate(this.#open.end);
        }
        catch {
            await file.truncate(this.#open.end);
            return;
        }`,
  },
  {
    name: "the writer forgets a segment whose creation failed and could not be taken back",
    rule: "W1",
    first: "two faults: a rotation",
    file: "wal/dist/segment-store.js",
    find: `await this.takeAwayHalfMade();
        }
        catch (cause) {`,
    replace: `await this.takeAwayHalfMade();
        }
        catch (cause) {
            if (KayaError.is(cause, "KAYA_IO") || KayaError.is(cause, "KAYA_DISK_FULL"))
                this.#halfMade = undefined;`,
  },
];
