import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { encodeRecord } from "@kaya/wal";
import type { Page } from "puppeteer-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBrowser, type TestBrowser, withoutBrowser } from "./browser.js";
import { dataDirectory, filledDirectory, flipInFile, kayactl, temporaryDirectory } from "./helpers.js";

let browser: TestBrowser | undefined;

beforeAll(async () => {
  if (withoutBrowser === undefined) browser = await openBrowser();
  else console.warn(`skipped: ${withoutBrowser}`);
}, 120_000);

afterAll(() => browser?.close());

/** Which of these colours a canvas shows, each within a little. */
const COLORS_OF_STRIP = `(() => {
  const canvas = document.getElementById("detail");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const style = getComputedStyle(document.documentElement);
  const has = (name) => {
    const color = style.getPropertyValue("--" + name).trim();
    const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
    for (let i = 0; i < data.length; i += 4)
      if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) return true;
    return false;
  };
  return ["PUT", "DELETE", "damage", "torn", "cut"].filter(has);
})()`;

const TEXT = (id: string) => `document.getElementById("${id}").innerText`;

test.skipIf(withoutBrowser !== undefined)("the page of a damaged log, in a browser", async (context) => {
  if (browser === undefined) return context.skip();
  const data = await filledDirectory(300, 8000);
  const segment = join(data, "wal", "0000000000000002.wal");
  await flipInFile(segment, 2000);
  const file = join(await temporaryDirectory(), "log.html");
  expect((await kayactl(["inspect", "wal", data, "--html", file])).code).toBe(3);

  const page = await browser.browser.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => problems.push(message.text()));
  page.on("request", (request) => {
    if (request.url() !== pathToFileURL(file).href) problems.push(`asked for ${request.url()}`);
  });
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.goto(pathToFileURL(file).href);
    await page.waitForFunction("document.documentElement.dataset.ready === 'true'");
    expect(await page.evaluate(COLORS_OF_STRIP)).toEqual(["PUT", "damage", "cut"]);
  }

  // It begins at the damage, with its bytes.
  expect(await page.evaluate(TEXT("detail-name"))).toBe("0000000000000002.wal");
  expect(await page.evaluate(TEXT("record"))).toMatch(
    /^Damage\n[\s\S]*checksum is wrong[\s\S]*41 59 41 4b 01 00 28 00/,
  );

  // By keyboard: the record before the damage, the first one, and the next.
  await page.focus("#detail");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  const [first] = JSON.parse((await kayactl(["inspect", "wal", segment, "--json"])).stdout).segments[0].rows;
  expect(await page.evaluate(TEXT("record"))).toContain(`PUT\nLSN\n${first.lsn + 1}\n`);
  const spoken = await page.$eval("#detail", (canvas) => canvas.getAttribute("aria-valuetext"));
  expect(spoken).toMatch(new RegExp(`^PUT +LSN ${first.lsn + 1} `));

  // By its LSN, in another segment.
  await page.type("#lsn", "3");
  await page.keyboard.press("Enter");
  expect(await page.evaluate(TEXT("detail-name"))).toBe("0000000000000001.wal");
  expect(await page.evaluate(TEXT("record"))).toContain("key-00002");

  // By pointer: a finding, and what the tooltip says of it.
  await page.click("[data-finding='0']");
  await page.hover("#detail");
  expect(await page.evaluate(TEXT("tooltip"))).toMatch(/^Not part of the log\n/);
  await page.click(".segment:first-child");
  expect(await page.evaluate("document.querySelectorAll('.chart svg .bar').length")).toBeGreaterThan(2);

  // Narrow: nothing sticks out.
  await page.setViewport({ width: 360, height: 700 });
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
  expect(problems).toEqual([]);
  expect(await readFile(file, "utf8")).not.toContain("https://");
});

const bytes = (text: string) => Buffer.from(text);

/** A page that is written of a log, in a browser. */
async function openPage(data: string, setUp?: (page: Page) => Promise<void>): Promise<Page> {
  if (browser === undefined) throw new Error("there is no browser");
  const file = join(await temporaryDirectory(), "log.html");
  await kayactl(["inspect", "wal", data, "--html", file]);
  const page = await browser.browser.newPage();
  await setUp?.(page);
  await page.goto(pathToFileURL(file).href);
  return page;
}

const isReady = (page: Page) => page.waitForFunction("document.documentElement.dataset.ready === 'true'");

test.skipIf(withoutBrowser !== undefined)("the page shows what a batch does, key by key", async () => {
  const operations = [
    { type: "put", key: bytes("a\u202eb"), value: bytes("12345") },
    { type: "delete", key: Uint8Array.of(0, 0xff) },
    { type: "deleteRange", start: bytes("from"), end: bytes("to") },
    { type: "deleteRange", start: bytes("all"), end: undefined },
    { type: "put", key: bytes("session"), value: bytes(""), expiresAt: 1_767_225_600_000 },
    ...Array.from({ length: 60 }, (_, at) => ({ type: "delete", key: bytes(`key-${at}`) }) as const),
  ] as const;
  const record = encodeRecord({ lsn: 1, sequence: 1, payload: { type: "batch", operations } });
  const page = await openPage(await dataDirectory(record));
  await isReady(page);
  const rows = await page.$$eval(".operations tbody tr", (all) =>
    all.map((row) => [...row.children].map((cell) => cell.textContent)),
  );
  expect(rows.slice(0, 6)).toEqual([
    ["PUT", "a\\u202eb", "5 B"],
    ["DELETE", "hex:00ff", ""],
    ["DELETE_RANGE", "from up to to", ""],
    ["DELETE_RANGE", "all up to the end", ""],
    ["PUT_EXPIRING", "session", "0 B, expires 2026-01-01T00:00:00.000Z"],
    ["DELETE", "key-0", ""],
  ]);
  expect(rows).toHaveLength(50);
  expect(await page.evaluate(TEXT("record"))).toMatch(/15 more: kayactl inspect wal .* --lsn 1 shows them/);
  await page.close();
});

test.skipIf(withoutBrowser !== undefined)(
  "a write that a crash left unfinished is amber, not red",
  async () => {
    const whole = encodeRecord({
      lsn: 1,
      sequence: 1,
      payload: { type: "put", key: bytes("a"), value: bytes("b") },
    });
    const page = await openPage(await dataDirectory(Buffer.concat([whole, whole.subarray(0, 30)])));
    await isReady(page);
    expect(await page.evaluate(COLORS_OF_STRIP)).toEqual(["PUT", "torn"]);
    expect(await page.evaluate(TEXT("record"))).toMatch(
      /^An unfinished write\s+a crash's unfinished write: the next opening cuts it/,
    );
    expect(await page.title()).toMatch(/^Unfinished write: /);
    await page.close();
  },
);

test.skipIf(withoutBrowser !== undefined)("nothing of the page is blank before its script runs", async () => {
  const data = await filledDirectory(300, 8000);
  const page = await openPage(data, (each) => each.setJavaScriptEnabled(false));
  const texts = await page.$$eval("#legend, #segments, #detail-name, .axis, #record", (all) =>
    all.map((element) => element.textContent?.trim()),
  );
  expect(texts.filter((text) => text === "")).toEqual([]);
  const lanes = () =>
    page.$$eval("#segments canvas", (all) => all.map((lane) => lane.getBoundingClientRect().width));
  const before = await lanes();
  const grounds = await page.$$eval("canvas", (all) =>
    all.map((each) => getComputedStyle(each).backgroundImage),
  );
  expect(grounds.every((ground) => ground.startsWith("linear-gradient("))).toBe(true);
  await page.setJavaScriptEnabled(true);
  await page.reload();
  await isReady(page);
  // Nothing moves when it does.
  const after = await lanes();
  expect(after.map((width, at) => Math.abs(width - (before[at] ?? 0)) < 1)).toEqual(after.map(() => true));
  await page.close();
});

test.skipIf(withoutBrowser !== undefined)(
  "a command on the page breaks between its words alone",
  async () => {
    const large = Buffer.alloc(600_000);
    const records = [1, 2, 3, 4].map((lsn) =>
      encodeRecord({ lsn, sequence: lsn, payload: { type: "put", key: bytes("a"), value: large } }),
    );
    const page = await openPage(await dataDirectory(Buffer.concat(records)));
    await isReady(page);
    await page.type("#lsn", "3");
    await page.keyboard.press("Enter");
    for (let width = 300; width < 700; width += 40) {
      await page.setViewport({ width, height: 700 });
      const lines = await page.$$eval("code .word", (all) => all.map((word) => word.getClientRects().length));
      expect([width, lines]).toEqual([width, [1, 1, 1]]);
    }
    expect(await page.$eval("code", (code) => code.textContent)).toMatch(
      /^kayactl inspect wal .+ --lsn 3 --hex$/,
    );
    await page.close();
  },
);
