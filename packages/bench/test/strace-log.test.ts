import { describe, expect, test } from "vitest";
import { countSyncs } from "../src/durability/strace-log.js";

const put = (i: number) => `10 access("/kaya-bench/put/${i}", F_OK) = -1 ENOENT (No such file or directory)`;
const acknowledged = (i: number) => `10 access("/kaya-bench/acknowledged/${i}", F_OK) = -1 ENOENT`;
const count = (...lines: string[]) => countSyncs(lines.join("\n"), "/data");

describe("what a trace says of durability", () => {
  test("a sync between put and acknowledgement covers the put", () => {
    const found = count(put(0), "11 fdatasync(17</data/wal/1.wal>) = 0", acknowledged(0));
    expect(found).toEqual({ acknowledged: 1, covered: 1, calls: { fdatasync: 1 } });
  });

  test("a sync of another thread comes in two lines", () => {
    const found = count(
      put(0),
      "11 fsync(17</data/db> <unfinished ...>",
      "10 write(3</tmp/other>, 1) = 1",
      "11 <... fsync resumed>) = 0",
      acknowledged(0),
    );
    expect(found).toMatchObject({ covered: 1, calls: { fsync: 1 } });
  });

  test("a sync that is over only after the acknowledgement covers nothing", () => {
    const found = count(
      put(0),
      "11 fsync(17</data/db> <unfinished ...>",
      acknowledged(0),
      put(1),
      "11 <... fsync resumed>) = 0",
      acknowledged(1),
    );
    expect(found).toEqual({ acknowledged: 2, covered: 0, calls: { fsync: 1 } });
  });

  test("a sync that fails, or of a file elsewhere, covers nothing", () => {
    const found = count(
      put(0),
      "11 fdatasync(17</data/db>) = -1 EIO (Input/output error)",
      "11 fdatasync(18</database/db>) = 0",
      acknowledged(0),
    );
    expect(found).toEqual({ acknowledged: 1, covered: 0, calls: {} });
  });

  test("a write to a file opened with O_DSYNC is a sync, until the descriptor is another file's", () => {
    const found = count(
      '10 openat(AT_FDCWD</>, "/data/db", O_RDWR|O_DSYNC|O_CLOEXEC) = 20</data/db>',
      put(0),
      '11 pwrite64(20</data/db>, "x", 1, 0) = 1',
      acknowledged(0),
      "10 close(20</data/db>) = 0",
      '10 openat(AT_FDCWD</>, "/data/db", O_RDWR|O_CLOEXEC) = 20</data/db>',
      put(1),
      '11 pwrite64(20</data/db>, "x", 1, 0) = 1',
      acknowledged(1),
    );
    expect(found).toEqual({ acknowledged: 2, covered: 1, calls: { pwrite64: 1 } });
  });
});
