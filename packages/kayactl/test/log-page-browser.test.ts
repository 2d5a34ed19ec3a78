import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBrowser, type TestBrowser, withoutBrowser } from "./browser.js";
import { filledDirectory, flipInFile, kayactl, temporaryDirectory } from "./helpers.js";

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
  return ["PUT", "DELETE", "damage", "cut"].filter(has);
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
