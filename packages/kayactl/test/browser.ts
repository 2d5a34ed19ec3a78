import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "puppeteer-core";

/** Why there is no browser here; undefined where there is one. */
export const withoutBrowser: string | undefined =
  (process.platform === "linux" && process.arch === "x64") || process.env.CHROMIUM !== undefined
    ? undefined
    : "the browser in @sparticuz/chromium is for Linux on x64: set CHROMIUM to the path of one";

export interface TestBrowser {
  readonly browser: Browser;
  close(): Promise<void>;
}

/** A headless Chromium that came with npm, and needs nothing of the system but libc; or the one that CHROMIUM names. */
export async function openBrowser(): Promise<TestBrowser> {
  const directory = await mkdtemp(join(tmpdir(), "kayactl-browser-"));
  // It is unpacked where temporary files are. Said to be a Lambda, it brings its libraries and fonts too.
  process.env.TMPDIR = directory;
  process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs22.x";
  const { default: puppeteer } = await import("puppeteer-core");
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? (await unpackedChromium(directory)),
    headless: "shell",
    pipe: true,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"],
    userDataDir: join(directory, "profile"),
  });
  return {
    browser,
    close: async () => {
      await browser.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function unpackedChromium(directory: string): Promise<string> {
  const { default: chromium } = await import("@sparticuz/chromium");
  const path = await chromium.executablePath();
  // Its configuration looks for the fonts that it brings in /tmp/fonts, wherever they were unpacked; without any a page never gets ready.
  const fonts = join(directory, "fonts");
  const config = `<fontconfig><dir>${fonts}</dir><cachedir>${join(directory, "font-cache")}</cachedir></fontconfig>`;
  await writeFile(
    join(fonts, "fonts.conf"),
    `<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n${config}\n`,
  );
  return path;
}
