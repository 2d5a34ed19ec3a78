import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openBrowser, type TestBrowser, withoutBrowser } from "./browser.js";
import { StudioDouble } from "./studio-double.js";
import { StudioPage } from "./studio-page.js";

let browser: TestBrowser;
let double: StudioDouble;

describe.skipIf(withoutBrowser !== undefined)("the page of the studio", () => {
  beforeAll(async () => {
    browser = await openBrowser();
    double = await StudioDouble.start();
    double.values.set("one", "first");
  });

  afterEach(() => {
    double.problem = undefined;
    double.followProblem = undefined;
    double.isRefusing = false;
  });

  afterAll(async () => {
    await browser?.close();
    await double?.close();
  });

  test("says that the connection is lost, and comes back by itself", async () => {
    const studio = await StudioPage.open(browser.browser, double.address, "#/keys?key=one");
    await studio.untilText(".value-lines", "first");
    await double.close();
    await studio.untilText(".banner", "The connection to kayactl studio is lost.");
    expect(await studio.text(".activity")).toContain("offline");
    // What is shown stays, and what is asked for now says why it cannot be.
    await studio.untilText(".value-lines", "first");
    await studio.page.click("[role=tree] .tree-row");
    await studio.go("#/keys?key=two");
    await studio.untilText(".value-panel .error-note", "kayactl studio does not answer.");
    expect(await studio.violations()).toEqual([]);
    double.values.set("two", "second");
    await double.listen();
    await studio.until("document.querySelector('.banner') === null");
    await studio.untilText(".value-lines", "second");
    // Nobody knows what was written meanwhile.
    await studio.untilText(".stale", "Changes may be missing: refresh");
    await studio.clickButton("Changes may be missing: refresh");
    await studio.untilText(".tree-row", "two");
    await studio.until("document.querySelector('.stale button') === null");
    await studio.page.close();
  });

  test("says that a value was written while the connection was lost", async () => {
    const studio = await StudioPage.open(browser.browser, double.address, "#/keys?key=one");
    await studio.untilText(".value-lines", "first");
    await double.close();
    await studio.untilText(".banner", "lost");
    double.values.set("one", "another");
    await double.listen();
    await studio.untilText(".changed-note", "This value was replaced.");
    await studio.clickButton("Show it");
    await studio.untilText(".value-lines", "another");
    double.values.set("one", "first");
    await studio.page.close();
  });

  test("says when another run of the studio does not know it", async () => {
    const studio = await StudioPage.open(browser.browser, double.address);
    await studio.untilText(".activity", "live");
    await double.close();
    await studio.untilText(".banner", "lost");
    double.problem = { status: 403, code: "FORBIDDEN", message: "no cookie" };
    double.isRefusing = true;
    await double.listen();
    await studio.untilText(".banner", "Open the address that it printed");
    double.problem = undefined;
    double.isRefusing = false;
    await studio.until("document.querySelector('.banner') === null");
    await studio.page.close();
  });

  test("shows an error where it belongs, with what to do, and tries again", async () => {
    const studio = await StudioPage.open(browser.browser, double.address);
    await studio.untilText(".tree-row", "one");
    double.problem = {
      status: 500,
      code: "KAYA_CORRUPTION",
      message: "sst/7.sst: a block at 4096 is damaged",
    };
    await studio.go("#/keys?key=one");
    await studio.untilText(".value-panel .error-note", "sst/7.sst: a block at 4096 is damaged");
    await studio.untilText(".value-panel .error-note", "Run kayactl verify --data /data");
    await studio.untilText(".keys-pane", "one");
    await studio.press("r");
    await studio.untilText(".keys-pane .error-note", "KAYA_CORRUPTION");
    double.problem = undefined;
    await studio.clickButton("Try again");
    await studio.untilText(".tree-row", "one");
    await studio.page.close();
  });

  test("says what was left out, and why a store cannot be followed; then it follows again", async () => {
    const studio = await StudioPage.open(browser.browser, double.address, "#/changes");
    await studio.untilText(".activity", "live");
    double.send("skipped", { changes: 12 });
    await studio.untilText(".note", "12 changes are not listed");
    double.followProblem = { code: "KAYA_IO", message: "wal: EIO" };
    double.send("problem", double.followProblem);
    await studio.untilText(".banner", "wal: EIO");
    await studio.press("1");
    await studio.untilText(".banner", "The page does not show changes.");
    expect(await studio.violations()).toEqual([]);
    double.followProblem = undefined;
    await studio.clickButton("Try now");
    await studio.until("document.querySelector('.banner') === null");
    await studio.page.close();
  });

  test("says what recovery doubted, and that a store is empty", async () => {
    double.info = { ...double.info, warnings: ["wal/1.wal: offset 57: a crash's unfinished write"] };
    const studio = await StudioPage.open(browser.browser, double.address, "#/store");
    await studio.untilText(".warnings", "offset 57: a crash's unfinished write");
    double.values.clear();
    await studio.go("#/keys");
    await studio.untilText(".keys-pane", "The store is empty");
    expect(await studio.violations()).toEqual([]);
    await studio.page.close();
  });

  test("keeps the colours that were chosen", async () => {
    const studio = await StudioPage.open(browser.browser, double.address, "#/keys");
    const ground = () => studio.evaluate<string>("getComputedStyle(document.body).backgroundColor");
    await studio.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
    const light = await ground();
    await studio.page.select("#theme", "dark");
    const dark = await ground();
    expect(dark).not.toBe(light);
    await studio.load("#/store");
    await studio.untilText("main", "Memtable");
    expect(await ground()).toBe(dark);
    await studio.page.select("#theme", "system");
    expect(await ground()).toBe(light);
    await studio.page.close();
  });
});
