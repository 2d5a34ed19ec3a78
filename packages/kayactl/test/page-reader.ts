import { gunzipSync } from "node:zlib";
import { readSegments, type Segment } from "../src/page/log-model.js";
import type { PageData, PageRow } from "../src/page/page-data.js";

export interface ReadPage {
  readonly data: PageData;
  readonly segments: readonly Segment[];
}

/** What a page holds, read as the page itself reads it. */
export function readPage(html: string): ReadPage {
  const data = JSON.parse(contentOf(html, "data")) as PageData;
  return { data, segments: readSegments(data, gunzipSync(Buffer.from(contentOf(html, "block"), "base64"))) };
}

export function rowsOf({ rows }: Segment): PageRow[] {
  return Array.from({ length: rows.length }, (_, index) => rows.rowAt(index)).filter(
    (row) => row !== undefined,
  );
}

function contentOf(html: string, id: string): string {
  const found = new RegExp(`<script type="[^"]+" id="${id}">([^<]*)</script>`).exec(html)?.[1];
  if (found === undefined) throw new Error(`the page has no #${id}`);
  return found;
}
