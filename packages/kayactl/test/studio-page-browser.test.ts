import { rm } from "node:fs/promises";
import { Engine } from "@kaya/engine";
import { encode } from "@msgpack/msgpack";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { API } from "../src/studio/api.js";
import { ReaderStore, readOnlyConfig } from "../src/studio/reader-store.js";
import { WriterStore } from "../src/studio/writer-store.js";
import { openBrowser, type TestBrowser, withoutBrowser } from "./browser.js";
import { longLivedDirectory } from "./helpers.js";
import { type ServedStudio, StudioPage, serveStudio } from "./studio-page.js";

/** More than the page keeps rows of. */
const USERS = 20_000;
const LARGE = Buffer.alloc(16 * 1024 * 1024, "0123456789abcdef");
const CONFIG = { server: { host: "127.0.0.1", port: 8080 }, limits: [1, 2, 3] };
const EVIL_KEY = "evil:\u202egnp.exe";
const EVIL_TAG = "evil:<img src=x onerror=alert(1)>";

let browser: TestBrowser;
let engine: Engine;
let data: string;
let served: ServedStudio;
let studio: StudioPage;

describe.skipIf(withoutBrowser !== undefined)("the page of the studio", () => {
  beforeAll(async () => {
    const opening = openBrowser();
    data = await longLivedDirectory();
    engine = await Engine.open({ dataDir: data, durability: "strict" });
    await fill(engine);
    const options = { data, durability: "strict", recovery: "tail", lock: true, color: false } as const;
    served = await serveStudio(await WriterStore.of(options, engine), data);
    browser = await opening;
    studio = await StudioPage.open(browser.browser, served.address);
  });

  afterAll(async () => {
    await browser?.close();
    await served?.close();
    await engine?.close();
    if (data !== undefined) await rm(data, { recursive: true, force: true });
  });

  test("is used by keyboard alone", async () => {
    await studio.load("#/keys");
    await studio.untilText(".keys-pane", "config:");
    await studio.press("/");
    expect(await studio.focused()).toBe("Prefix");
    await studio.page.keyboard.type("config:");
    await studio.press("Enter");
    await studio.until("location.hash === '#/keys?prefix=config:'");
    await studio.untilText(".tree-row", "app");
    await studio.until("document.activeElement.getAttribute('role') === 'tree'");
    expect(await studio.focused()).toBe("config:app");
    await studio.press("Enter");
    await studio.untilText(".value-lines", '"port": 8080');
    expect(await studio.evaluate("location.hash")).toBe("#/keys?prefix=config:&key=config:app");
    expect(await studio.evaluate("document.title")).toBe("config:app · Kaya studio");

    // Fold a branch, and open it again.
    await studio.page.focus(".value-lines [role=tree]");
    await studio.press("ArrowDown", "ArrowLeft");
    await studio.untilText(".value-lines", "2 members");
    expect(await studio.text(".value-lines")).not.toContain("8080");
    await studio.press("ArrowRight");
    await studio.untilText(".value-lines", "8080");

    // Escape goes back to the keys, and the browser's Back to the value.
    await studio.press("Escape");
    await studio.until("document.activeElement.getAttribute('role') === 'tree'");
    expect(await studio.focused()).toBe("config:app");
    await studio.page.goBack();
    await studio.untilText(".value-lines", "8080");

    await studio.press("?");
    await studio.untilText("dialog", "Type a prefix");
    await studio.press("Escape");
    await studio.until("document.querySelector('dialog') === null");
    await studio.press("3");
    await studio.untilText("main", "Memtable");
  });

  test("shows keys as a tree whose groups open, split where it is told", async () => {
    await studio.load("#/keys");
    await studio.untilText(".keys-pane", "user:");
    await studio.page.focus("[role=tree]");
    await studio.press("Home");
    while ((await studio.focused()) !== "config:, group") await studio.press("ArrowDown");
    const expanded = () =>
      studio.evaluate("document.querySelector('.tree-row.is-active').getAttribute('aria-expanded')");
    expect(await expanded()).toBe("false");
    await studio.press("ArrowRight");
    await studio.untilText(".tree-row", "app");
    expect(await expanded()).toBe("true");
    await studio.press("ArrowRight");
    expect(await studio.focused()).toBe("config:app");
    await studio.press("ArrowLeft", "ArrowLeft");
    expect(await expanded()).toBe("false");
    await studio.page.select("#delimiter", "/");
    await studio.untilText(".tree-row", "doc/");
    expect(await studio.evaluate("location.hash")).toBe("#/keys?delimiter=%2F");
    await studio.load("#/keys?delimiter=%2F&key=doc/a/b");
    await studio.untilText(".tree-row.is-selected", "b");
  });

  test("picks what suits a value, and shows it otherwise when asked", async () => {
    const best = async (key: string) => {
      await studio.load(`#/keys?key=${key}`);
      await studio.until("document.querySelector('.value-panel [name=format]:checked') !== null");
      return studio.evaluate("document.querySelector('[name=format]:checked').value");
    };
    expect(await best("config:app")).toBe("json");
    expect(await best("pack")).toBe("msgpack");
    await studio.untilText(".value-lines", '"n": 9007199254740993');
    expect(await best("doc/a/b")).toBe("text");
    await studio.load("#/keys?key=%00%ff");
    await studio.untilText(".value-lines", "ca fe");
    await studio.load("#/keys?key=config:app&view=hex");
    await studio.untilText(".value-lines", "7b 22 73 65 72 76 65 72");
    expect(await studio.text(".hex-text")).toBe('{"server":{"host');
    // Digits that a number of JavaScript does not have are kept.
    await studio.load("#/keys?key=digits");
    await studio.untilText(".value-lines", "12345678901234567890");
    await studio.untilText(".value-lines", "1.0");
  });

  test("makes nothing of what keys and values say", async () => {
    for (const layout of ["tree", "list"]) {
      await studio.load(`#/keys?prefix=evil:&layout=${layout}&key=evil:%e2%80%aegnp.exe`);
      await studio.untilText(".keys-pane", "\\u202egnp.exe");
      await studio.untilText(".value-lines", "\\u0007");
      const text = await studio.text("body");
      expect(text).toContain("<img src=x onerror=alert(1)>");
      expect(text).toContain("\\u200b");
      for (const hidden of "\u202e\u0007\u200b") expect(text).not.toContain(hidden);
      expect(await studio.evaluate("document.querySelectorAll('main img, main b, main script').length")).toBe(
        0,
      );
      expect(await studio.evaluate("document.title")).not.toContain("\u202e");
    }
    await studio.load("#/keys?key=%00%ff");
    await studio.untilText(".value-key", "00 ff");
    await studio.untilText(".tree-row.is-selected", "00 ff");
    expect(studio.problems).toEqual([]);
  });

  test("edits a value, and shows both where somebody else wrote meanwhile", async () => {
    await engine.put("edit:1", "first");
    await studio.load("#/keys?prefix=edit:&key=edit:1");
    await studio.untilText(".value-lines", "first");
    await studio.clickButton("Edit");
    await studio.until("document.activeElement.id === 'edit-value'");
    await studio.page.keyboard.type(" and mine");
    await engine.put("edit:1", "theirs");
    await studio.clickButton("Save");
    await studio.untilText("dialog", "Somebody changed this key");
    const dialog = await studio.text("dialog");
    expect(dialog).toContain("theirs");
    expect(dialog).toContain("first and mine");
    expect(await storedAs("edit:1")).toBe("theirs");
    await studio.clickButton("Go on editing");
    await studio.until("document.querySelector('#edit-value')?.value === 'first and mine'");
    // Held to what was shown: another write in between is seen again.
    await engine.put("edit:1", "theirs again");
    await studio.clickButton("Save");
    await studio.untilText("dialog", "theirs again");
    await studio.until("document.querySelector('.tree-row.is-put') === null");
    const marked = studio.until("document.querySelector('.tree-row.is-put') !== null", "mutation");
    await studio.clickButton("Replace it with yours");
    await studio.until("document.querySelector('dialog') === null");
    expect(await storedAs("edit:1")).toBe("first and mine");
    await studio.untilText(".value-lines", "first and mine");
    // The page's own write is marked in the list, and is no news to the value.
    await marked;
    expect(await studio.evaluate("document.querySelector('.changed-note')")).toBeNull();

    // Escape does not throw away what was typed.
    await studio.clickButton("Edit");
    await studio.until("document.activeElement.id === 'edit-value'");
    await studio.page.keyboard.type("!");
    await studio.press("Escape");
    await studio.untilText("dialog", "Your changes are not saved.");
    await studio.press("Escape");
    await studio.until("document.querySelector('dialog') === null");
  });

  test("keeps the expiry that was seen, although another write has none", async () => {
    const expiresAt = Date.now() + 3_600_000;
    await engine.put("edit:2", "first", { expiresAt });
    await studio.load("#/keys?key=edit:2");
    await studio.untilText(".value-lines", "first");
    await studio.clickButton("Edit");
    await engine.put("edit:2", "theirs");
    await studio.clickButton("Save");
    await studio.untilText("dialog .version:last-child", "expires ");
    await studio.clickButton("Replace it with yours");
    await studio.until("document.querySelector('dialog') === null");
    expect(await storedAs("edit:2")).toBe("first");
    expect((await engine.getEntry("edit:2")).expiresAt).toBe(expiresAt);
  });

  test("deletes a key only as it was seen", async () => {
    await engine.put("delete:1", "old");
    await studio.load("#/keys?prefix=delete:&key=delete:1");
    await studio.untilText(".value-lines", "old");
    await engine.put("delete:1", "new");
    await studio.untilText(".changed-note", "This value was replaced");
    await studio.clickButton("Delete");
    await studio.untilText("dialog", "Delete this key?");
    expect(await studio.focused()).toBe("Cancel");
    await studio.press("Tab", "Enter");
    await studio.untilText("dialog", "Delete the new value too?");
    expect(await storedAs("delete:1")).toBe("new");
    await studio.clickButton("Delete the new value");
    await studio.untilText(".value-panel", "This key has no value");
    expect(await storedAs("delete:1")).toBeUndefined();
  });

  test("writes a new key, and never over one that is there", async () => {
    await engine.put("new:1", "is there");
    await studio.load("#/keys?prefix=new:");
    await studio.untilText(".tree-row", "1");
    await studio.press("n");
    await studio.until("document.activeElement.id === 'new-key'");
    await studio.press("End");
    await studio.page.keyboard.type("1");
    await studio.page.type("#edit-value", '{"a":1}');
    await studio.clickButton("Write");
    await studio.untilText("dialog", "There is already a key of this name");
    await studio.clickButton("Go on editing");
    await studio.page.focus("#new-key");
    await studio.press("End");
    await studio.page.keyboard.type("2");
    await studio.page.select("#expiry-kind", "at");
    await studio.clickButton("Write");
    await studio.until("/in (59 min|1 h)/.test(document.querySelector('.value-panel').textContent)");
    expect(await storedAs("new:1")).toBe("is there");
    expect(await storedAs("new:12")).toBe('{"a":1}');
    await studio.untilText(".tree-row.is-selected", "12");
    // Enter right behind the last character.
    await studio.press("n");
    await studio.until("document.activeElement.id === 'new-key'");
    await studio.press("End");
    await studio.page.keyboard.type("3\n");
    await studio.untilText(".value-panel", "The value is empty");
    expect(await storedAs("new:3")).toBe("");
  });

  test("scrolls through more keys than it keeps, with a few rows in the page", async () => {
    await studio.load("#/keys?prefix=user:&layout=list");
    await studio.untilText(".key-row", "0000000");
    const rows = "document.querySelectorAll('.keys-pane .row').length";
    // 24 pages of 500 rows of 30 pixels are kept.
    for (let top = 0; top < 15_000 * 30; top += 15_000) {
      await studio.evaluate("document.querySelector('.keys-pane .rows').scrollTop += 15000");
      await studio.until(`document.querySelector('.keys-pane .is-coming') === null && ${rows} > 10`);
      expect(await studio.evaluate<number>(rows)).toBeLessThan(80);
    }
    // What was let go is read again.
    await studio.evaluate("document.querySelector('.keys-pane .rows').scrollTop = 0");
    await studio.untilText(".key-row", "0000000");
    // The last ones, without reading all before them.
    await studio.load("#/keys?prefix=user:&reverse=1&lt=user:0017000");
    await studio.untilText(".key-row", "0016999");
    await studio.page.focus("[role=listbox]");
    await studio.press("End", "Enter");
    await studio.until("location.hash.includes('key=user:0016')");
    await studio.load("#/keys?prefix=user:");
    await studio.untilText(".tree-row", "0000000");
    await studio.press("Tab");
    expect(await studio.evaluate<number>(rows)).toBeLessThan(80);
  });

  test("shows a value of 16 MiB in parts", async () => {
    studio.received.clear();
    await studio.load("#/keys?key=large&view=hex");
    await studio.untilText(".hex-line", "00000000");
    await studio.evaluate("document.querySelector('.value-lines .rows').scrollTop = 1e9");
    await studio.untilText(".hex-line:last-child", "00fffff0");
    await studio.untilText(".hex-line:last-child", "30 31 32 33");
    await studio.load("#/keys?key=large");
    await studio.untilText(".pager", "Part 1 of 64");
    await studio.clickButton("Next part");
    await studio.untilText(".pager", "Part 2 of 64: 256.0 KiB from byte 262144");
    await studio.untilText(".text-line", "0123456789abcdef");
    expect(studio.received.get(API.value)).toBeLessThan(2 * 1024 * 1024);
    expect(await studio.evaluate("document.querySelector('a[download][href*=value]').href")).toContain(
      "download=1",
    );
  });

  test("follows a writer that goes on: marks rows, counts new keys, holds the feed", async () => {
    await engine.put("live:1", "a");
    await studio.load("#/keys?prefix=live:&layout=list");
    await studio.untilText(".key-row", "…1");
    await studio.untilText(".activity", "live");
    const marked = studio.untilText(".key-row.is-put", "4 B", "mutation");
    await engine.put("live:1", "bbbb");
    await marked;
    await engine.put("live:2", "c");
    await studio.untilText(".list-note", "1 change not shown: refresh");
    await studio.press("r");
    await studio.untilText(".key-row", "…2");
    await engine.delete("live:2");
    await studio.untilText(".key-row.is-gone", "…2");
    await engine.put("live:2", "c");
    await studio.until("document.querySelector('.key-row.is-gone') === null");

    await studio.go("#/changes?prefix=live:");
    await studio.untilText(".change-row:first-child", "live:2");
    await engine.put("live:3", "d");
    await engine.put("other", "not below the prefix");
    await engine.delete("live:2");
    await studio.untilText(".change-row:first-child", "delete");
    expect(await studio.text(".feed")).not.toContain("other");
    await studio.press("p");
    await studio.untilText(".query-line", "Paused: 0 changes since");
    await engine.put("live:4", "e");
    await studio.untilText(".query-line", "Paused: 1 change since");
    expect(await studio.text(".feed")).not.toContain("live:4");
    await studio.press("p");
    await studio.untilText(".change-row:first-child", "live:4");
    await studio.page.focus(".feed [role=listbox]");
    await studio.press("Home", "Enter");
    await studio.untilText(".value-key", "live:4");

    // A value is followed although its key is not below the prefix; so is one whose range is deleted.
    await engine.put("outside", "a");
    await studio.load("#/keys?prefix=live:&key=outside");
    await studio.untilText(".value-lines", "a");
    await engine.put("outside", "b");
    await studio.untilText(".changed-note", "This value was replaced.");
    await studio.load("#/keys?key=outside");
    await studio.untilText(".value-lines", "b");
    await studio.untilText(".activity", "live");
    await engine.clear({ prefix: "outside" });
    await studio.untilText(".changed-note", "This key was deleted at");
  });

  test("asks by range, and exports what is shown", async () => {
    await studio.load("#/keys?prefix=user:&gt=user:0000009&lte=user:0000012");
    await studio.untilText(".list-note", "3 keys");
    const rows = async () => (await studio.text(".keys-pane .rows")).match(/\d{7}(?=\n)/g);
    expect(await rows()).toEqual(["0000010", "0000011", "0000012"]);
    await studio.page.click(".check input");
    await studio.until("location.hash.includes('reverse=1')");
    await studio.untilText(".key-row:first-child", "0000012");
    const exported = await studio.evaluate<string>(
      "fetch([...document.querySelectorAll('a[download]')].find((a) => a.innerText === 'Export').href).then((r) => r.text())",
    );
    expect(
      exported
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).key),
    ).toEqual(["user:0000012", "user:0000011", "user:0000010"]);
    await studio.load("#/keys?prefix=no-such-key");
    await studio.untilText(".keys-pane", "No key begins with this prefix");
  });

  test("says beside a writer what it cannot know, and changes nothing", async () => {
    const options = { data, durability: "strict", recovery: "tail", lock: true, color: false } as const;
    const store = new ReaderStore(options, await Engine.open(readOnlyConfig(options)));
    const reading = await serveStudio(store, data);
    const page = await StudioPage.open(browser.browser, reading.address, "#/keys?key=config:app");
    await page.untilText(".value-lines", "8080");
    expect(await page.text(".header")).toContain("Read-only");
    expect(await page.text("main")).not.toMatch(/New key|Edit|Delete/);
    await page.press("3");
    await page.untilText(".note", "It does not know what only the writer has in memory");
    expect(await page.text("main")).not.toMatch(/flush.* since the store was opened/);
    await page.untilText(".activity", "live");
    await page.press("2");
    await page.untilText(".feed", "Waiting for changes");
    await engine.put("beside", "seen");
    await page.untilText(".change-row", "beside");
    expect(page.problems).toEqual([]);
    await page.page.close();
    await reading.close();
    await store.close();
  });

  const PLACES = [
    "#/keys?key=config:app",
    "#/keys?prefix=evil:&layout=list&gte=a&key=evil:%e2%80%aegnp.exe",
    "#/keys?key=large&view=hex",
    "#/changes",
    "#/store",
  ];

  test.each([
    ["light", 1280],
    ["dark", 360],
  ] as const)("has nothing that axe-core finds in %s, %i pixels wide", async (scheme, width) => {
    await studio.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await studio.page.setViewport({ width, height: 740 });
    for (const place of PLACES) {
      await studio.load(place);
      await studio.until(
        "document.querySelector('main .loading') === null && document.querySelector('main .panel') !== null",
      );
      await studio.until("document.querySelector('.activity.is-live') !== null");
      expect([place, await studio.violations()]).toEqual([place, []]);
      expect([place, await studio.overflow()]).toEqual([place, 0]);
    }
    await studio.load(PLACES[0] ?? "");
    await studio.untilText(".value-panel", "Edit");
    for (const button of ["Edit", "Delete"]) {
      await studio.clickButton(button);
      await studio.until("document.querySelector('dialog') !== null");
      expect([button, await studio.violations()]).toEqual([button, []]);
      await studio.press("Escape");
    }
    await studio.page.setViewport({ width: 1280, height: 800 });
    await studio.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  });

  test("had no error all the while", () => {
    expect(studio.problems).toEqual([]);
  });
});

async function storedAs(key: string): Promise<string | undefined> {
  const value = await engine.get(key);
  return value === undefined ? undefined : Buffer.from(value).toString();
}

async function fill(store: Engine): Promise<void> {
  await store.batch(
    Array.from({ length: USERS }, (_, index) => {
      const key = `user:${String(index).padStart(7, "0")}`;
      return { type: "put", key, value: `v${index}` } as const;
    }),
  );
  await store.put("config:app", JSON.stringify(CONFIG));
  await store.put("digits", '{"big":12345678901234567890,"one":1.0}');
  await store.put("pack", encode({ n: 9007199254740993n, list: [1, null] }, { useBigInt64: true }));
  await store.put("doc/a/b", "one\ntwo");
  await store.put(Uint8Array.of(0, 0xff), Uint8Array.of(0xca, 0xfe));
  await store.put(EVIL_KEY, "a \u0007 bell, \u200b nothing, <b>bold</b>");
  await store.put(EVIL_TAG, "<script>alert(1)</script>");
  await store.put("large", LARGE);
}
