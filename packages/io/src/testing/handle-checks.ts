import assert from "node:assert/strict";
import { type Check, holds, pattern, rejectsWith, text } from "./check.js";

export const handleChecks: readonly Check[] = [
  {
    name: "mutations that nobody awaits take effect in the order of their calls",
    run: async ({ open }) => {
      const file = await open("file");
      const offsets = [
        file.append(text("abc")),
        file.append([text("de"), text("f")]),
        file.writeAt(1, text("X")),
        file.truncate(5),
        file.append(text("g")),
        file.sync(),
        file.truncate(6),
        file.append(text("h")),
      ];
      assert.deepEqual(await Promise.all(offsets), [0, 3, 6, undefined, 5, undefined, undefined, 6]);
      await holds(file, "aXcdegh");
    },
  },
  {
    name: "many appends at once leave no gap and no overlap",
    run: async ({ open }) => {
      const file = await open("file");
      const parts = Array.from({ length: 100 }, (_, i) => pattern(i, i));
      const offsets = await Promise.all(parts.map((part) => file.append(part)));
      let end = 0;
      for (const [i, part] of parts.entries()) {
        assert.equal(offsets[i], end);
        const back = new Uint8Array(part.length);
        assert.equal(await file.readAt(end, back), part.length);
        assert.deepEqual(back, part);
        end += part.length;
      }
      assert.equal(await file.length(), end);
    },
  },
  {
    name: "a mutation that is refused does not stop the next one",
    run: async ({ open }) => {
      const file = await open("file");
      const refused = file.truncate(-1);
      const appended = file.append(text("x"));
      await rejectsWith("KAYA_INVALID_ARGUMENT", refused);
      assert.equal(await appended, 0);
    },
  },
  {
    name: "close waits for what is under way",
    run: async ({ open }) => {
      const file = await open("file");
      const into = new Uint8Array(10);
      await file.append(text("abc"));
      const underWay = [
        file.readAt(0, into),
        file.length(),
        file.append(pattern(100_000)),
        file.writeAt(0, text("X")),
        file.sync(),
      ];
      const closed = file.close();
      await Promise.all(underWay);
      await closed;
      const again = await open("file", { readOnly: true });
      assert.equal(await again.length(), 100_003);
    },
  },
  {
    name: "close twice is fine",
    run: async ({ open }) => {
      const file = await open("file");
      await Promise.all([file.close(), file.close()]);
      await file.close();
    },
  },
  {
    name: "anything but close is KAYA_CLOSED after close",
    run: async ({ open }) => {
      const file = await open("file");
      await file.append(text("abc"));
      const closing = file.close();
      await rejectsWith("KAYA_CLOSED", file.append(text("x")));
      await closing;
      await rejectsWith("KAYA_CLOSED", file.length());
      await rejectsWith("KAYA_CLOSED", file.readAt(0, new Uint8Array(1)));
      await rejectsWith("KAYA_CLOSED", file.append(text("x")));
      await rejectsWith("KAYA_CLOSED", file.writeAt(0, text("x")));
      await rejectsWith("KAYA_CLOSED", file.truncate(0));
      await rejectsWith("KAYA_CLOSED", file.sync());
      await holds(await open("file"), "abc");
    },
  },
  {
    name: "closing one handle leaves another of the same file open",
    run: async ({ open }) => {
      const first = await open("file");
      const second = await open("file");
      await first.close();
      await second.append(text("x"));
      await holds(second, "x");
    },
  },
];
