import { gzipSync } from "node:zlib";
import { toJson } from "../bytes.js";
import type { Context } from "../context.js";
import { type InspectionTask, inspectLocations } from "../inspect/inspect-log.js";
import type { PageData } from "../page/page-data.js";
import { escapeText } from "../terminal/text.js";
import { formatBytes } from "../units.js";
import { version } from "../version.js";
import { MOST_ITEMS, PageCollector } from "./collect.js";
import { chooseExcerpts, readExcerpt } from "./excerpts.js";
import { renderPage } from "./html.js";
import { checkTarget, writePage } from "./page-file.js";
import { isCutByOpening, mayBeTorn } from "./torn-end.js";

/** Writes a page about the log into `file`, and says so. True where there is damage. */
export async function makePage(
  context: Context,
  task: InspectionTask,
  path: string,
  file: string,
  isForced: boolean,
): Promise<boolean> {
  await checkTarget(file, task.locations, isForced);
  const { data, block, isDamaged } = await collectPage(context, task, path);
  const html = Buffer.from(renderPage(data, block, task.tables));
  await writePage(file, html);
  const records = data.segments.reduce((sum, segment) => sum + segment.records, 0);
  const said = {
    segments: data.segments.length,
    records,
    findings: data.findings.length,
    bytes: html.length,
  };
  const fields = Object.entries(said).map(([name, value]) => `${name}=${value}`);
  await context.out.line(
    context.options.json
      ? toJson({ ok: true, page: file, ...said, groupSize: data.groupSize })
      : `OK page=${escapeText(file)} ${fields.join(" ")}`,
  );
  return isDamaged;
}

export interface CollectedPage {
  readonly data: PageData;
  /** The bytes that `data` speaks of, compressed. */
  readonly block: Uint8Array;
  readonly isDamaged: boolean;
}

/** What a page shows. */
export async function collectPage(
  context: Context,
  task: InspectionTask,
  path: string,
  mostItems = MOST_ITEMS,
): Promise<CollectedPage> {
  let collector = new PageCollector(1, mostItems);
  let { isDamaged } = await inspectLocations(context, task, collector);
  if (collector.neededGroupSize > 1) {
    collector = new PageCollector(collector.neededGroupSize, mostItems);
    ({ isDamaged } = await inspectLocations(context, task, collector));
  }
  const { groupSize, sizes, notes, blocks } = collector;
  const { segments, findings } = (await hasTornEnd(context, task, collector))
    ? withTornEnd(collector)
    : collector;
  const excerpts = chooseExcerpts(task.locations, findings);
  for (const excerpt of excerpts) {
    const location = task.locations[excerpt.segment];
    if (location !== undefined) blocks.push(await readExcerpt(location, excerpt));
  }
  const madeAt = new Date().toISOString();
  const data = { path, version: version(), madeAt, groupSize, segments, findings, notes, sizes, excerpts };
  return { data, block: gzipSync(Buffer.concat(blocks)), isDamaged };
}

/** Whether the only damage of the log is an unfinished write that the next opening cuts. */
async function hasTornEnd(
  context: Context,
  { locations }: InspectionTask,
  { segments, findings, lastDamage }: PageCollector,
): Promise<boolean> {
  const [last, [finding]] = [locations.at(-1), findings];
  if (last === undefined || finding === undefined || findings.length > 1) return false;
  if (finding.segment !== segments.length - 1 || !mayBeTorn(lastDamage)) return false;
  return isCutByOpening(context, last, finding.offset);
}

/** Marks the finding and the range as an unfinished write. */
function withTornEnd({ segments, findings }: PageCollector): Pick<PageData, "segments" | "findings"> {
  const range = segments.at(-1)?.ranges[0];
  const bytes = range === undefined ? 0 : range.to - range.from;
  const text = `a crash's unfinished write: the next opening cuts it (${formatBytes(bytes)} from offset ${range?.from})`;
  return {
    segments: segments.map((segment, index) =>
      index < segments.length - 1
        ? segment
        : { ...segment, ranges: segment.ranges.map((each) => ({ ...each, kind: "torn", text })) },
    ),
    findings: findings.map((finding) => ({
      ...finding,
      text: `${segments.at(-1)?.name}: ${text}`,
      isTorn: true,
    })),
  };
}
