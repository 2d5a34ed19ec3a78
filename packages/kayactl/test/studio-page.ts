import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "puppeteer-core";
import { readPageFiles } from "../src/studio/page-files.js";
import { StudioServer } from "../src/studio/server.js";
import type { StudioStore } from "../src/studio/store.js";

export const PAGE_DIRECTORY = fileURLToPath(new URL("../dist/studio/", import.meta.url));
/** A loaded machine takes its time. */
const UNTIL_MS = Number(process.env.UNTIL_MS ?? 60_000);
const AXE = new URL(import.meta.resolve("axe-core/axe.min.js"));

export interface ServedStudio {
  /** Lets one browser in. */
  readonly address: string;
  close(): Promise<void>;
}

/** A store with the built page. */
export async function serveStudio(store: StudioStore, dataDir: string): Promise<ServedStudio> {
  const addresses: string[] = [];
  const server = await StudioServer.listen({
    store,
    dataDir,
    files: await readPageFiles(PAGE_DIRECTORY),
    port: 0,
    onAddress: (address) => addresses.push(address),
  });
  return { address: addresses[0] ?? "", close: () => server.close() };
}

/** The studio's page in a browser, and what went wrong in it. */
export class StudioPage {
  readonly page: Page;
  readonly problems: string[] = [];
  /** Bytes of bodies by path, behind that of the address. */
  readonly received = new Map<string, number>();
  /** Without its token. */
  readonly #address: string;

  private constructor(page: Page, address: string) {
    const { origin, pathname } = new URL(address);
    this.page = page;
    this.#address = origin + pathname;
    page.on("pageerror", (error) => this.problems.push(String(error)));
    page.on("console", (message) => {
      // An answer that the page expects: a conflict, a key without a value.
      if (!/status of (412|404)/.test(message.text())) this.problems.push(message.text());
    });
    page.on("dialog", (dialog) => {
      this.problems.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !url.startsWith("data:")) this.problems.push(`asked for ${url}`);
    });
    page.on("response", (response) => {
      const path = new URL(response.url()).pathname.slice(pathname.length);
      const length = Number(response.headers()["content-length"] ?? 0);
      this.received.set(path, (this.received.get(path) ?? 0) + length);
    });
  }

  static async open(browser: Browser, address: string, hash = ""): Promise<StudioPage> {
    const page = await browser.newPage();
    const studio = new StudioPage(page, address);
    await page.setViewport({ width: 1280, height: 800 });
    await page.goto(address);
    if (hash !== "") await studio.go(hash);
    await studio.until("document.querySelector('main .panel, main .facts') !== null");
    return studio;
  }

  async go(hash: string): Promise<void> {
    await this.page.goto(`${this.#address}${hash}`);
  }

  /** Anew, as from a link. */
  async load(hash: string): Promise<void> {
    await this.page.goto("about:blank");
    await this.go(hash);
  }

  /**
   * @param polling `mutation`: looks after each change of the document, so that nothing is missed that is shown for a short time. Call it before
   * the cause, and await it after.
   */
  async until(expression: string, polling: "raf" | "mutation" = "raf"): Promise<void> {
    try {
      await this.page.waitForFunction(expression, { timeout: UNTIL_MS, polling });
    } catch (error) {
      throw new Error(`never: ${expression}\n${await this.text("body")}`, { cause: error });
    }
  }

  async untilText(selector: string, text: string, polling?: "raf" | "mutation"): Promise<void> {
    const [where, what] = [selector, text].map((part) => JSON.stringify(part));
    await this.until(
      `[...document.querySelectorAll(${where})].some((e) => e.textContent.includes(${what}))`,
      polling,
    );
  }

  text(selector: string): Promise<string> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`);
  }

  evaluate<T>(expression: string): Promise<T> {
    return this.page.evaluate(expression) as Promise<T>;
  }

  async press(...keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key as "Enter");
  }

  /** The label of what has the focus; of a list the active row's. */
  focused(): Promise<string> {
    return this.evaluate(`(() => {
      const at = document.activeElement;
      const row = document.getElementById(at.getAttribute("aria-activedescendant") ?? "");
      const named = row ?? at;
      return named.getAttribute("aria-label") ?? (named.labels?.[0] ?? named).innerText.trim();
    })()`);
  }

  async clickButton(name: string): Promise<void> {
    await this.page.locator(`::-p-aria([name="${name}"][role="button"])`).click();
  }

  /** What axe-core finds, each as one line. */
  async violations(): Promise<string[]> {
    await this.page.evaluate(await readFile(AXE, "utf8"));
    return this.evaluate(`axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => id + ": " + html.slice(0, 200) + " " + failureSummary)))`);
  }

  overflow(): Promise<number> {
    return this.evaluate("document.documentElement.scrollWidth - innerWidth");
  }
}
