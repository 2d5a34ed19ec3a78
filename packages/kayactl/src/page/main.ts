import { formatBytes, plural } from "../units.js";
import { barChart, sizeLabel } from "./charts.js";
import { DetailStrip } from "./detail-strip.js";
import { byId } from "./dom.js";
import { itemAt, type Place, placeOfLsn, readSegments, type Segment } from "./log-model.js";
import { Overview } from "./overview.js";
import type { PageData } from "./page-data.js";
import { showRecord } from "./record-panel.js";
import { lsnBars } from "./writes-over-lsn.js";

/** What is shown around a place that somebody jumped to. */
const JUMP_VIEW = 8192;

async function readBlock(): Promise<Uint8Array> {
  const packed = Uint8Array.from(atob(byId("block").textContent ?? ""), (character) =>
    character.charCodeAt(0),
  );
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function charts(data: PageData, segments: readonly Segment[], jump: (place: Place) => void): void {
  const powers = data.sizes[0]?.map((_, power) => power) ?? [];
  const used = powers.filter((power) => data.sizes.some((counts) => (counts[power] ?? 0) > 0));
  const [least, most] = [used[0], used.at(-1)];
  if (least === undefined || most === undefined) {
    byId("charts").remove();
    return;
  }
  const sizeBars = powers.slice(least, most + 1).map((power) => ({
    label: `${sizeLabel(power)} to ${sizeLabel(power + 1)}`,
    values: data.sizes.map((counts) => counts[power] ?? 0),
  }));
  byId("sizes").append(
    barChart(sizeBars, {
      what: "Records by size",
      format: (count) => plural(count, "record"),
      ends: [sizeLabel(least), sizeLabel(most + 1)],
      axes: { across: "bytes of a record", up: "records" },
    }),
  );
  const { bars, first, last } = lsnBars(segments, (lsn) => {
    const place = placeOfLsn(segments, lsn);
    if (place !== undefined) jump(place);
  });
  byId("writes").append(
    barChart(bars, {
      what: "Bytes written over LSN",
      format: formatBytes,
      ends: [`${first}`, `${last}`],
      axes: { across: "LSN", up: "bytes written" },
    }),
  );
}

function findings(data: PageData, segments: readonly Segment[], jump: (place: Place) => void): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-finding]")) {
    const finding = data.findings[Number(button.dataset.finding)];
    const segment = finding === undefined ? undefined : segments[finding.segment];
    if (finding === undefined || segment === undefined) continue;
    button.addEventListener("click", () =>
      jump({ segment, offset: finding.offset, item: itemAt(segment, finding.offset) }),
    );
  }
}

async function main(): Promise<void> {
  const data = JSON.parse(byId("data").textContent ?? "") as PageData;
  const segments = readSegments(data, await readBlock());
  const [first] = segments;
  if (first === undefined) return; // the page says so
  const select = (place: Place) => {
    overview.show(place);
    detail.show(place);
    showRecord(place, data.path);
  };
  const jump = (place: Place) => {
    select(place);
    detail.magnify(JUMP_VIEW);
    byId("detail").scrollIntoView({ block: "nearest" });
    byId("detail").focus({ preventScroll: true });
  };
  const overview = new Overview(segments, select);
  const detail = new DetailStrip(first, select);
  charts(data, segments, jump);
  findings(data, segments, jump);
  byId("previous").addEventListener("click", () => detail.step(-1));
  byId("next").addEventListener("click", () => detail.step(1));
  byId("go-to").addEventListener("submit", (event) => {
    event.preventDefault();
    const input = byId("lsn") as HTMLInputElement;
    const place = placeOfLsn(segments, Number(input.value));
    input.setCustomValidity(place === undefined ? `The log has no LSN ${input.value}.` : "");
    if (input.reportValidity() && place !== undefined) jump(place);
  });
  byId("lsn").addEventListener("input", () => (byId("lsn") as HTMLInputElement).setCustomValidity(""));
  const redraw = () => {
    overview.draw();
    detail.draw();
  };
  new ResizeObserver(redraw).observe(byId("detail"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const finding = data.findings[0];
  const segment = finding === undefined ? undefined : segments[finding.segment];
  if (finding === undefined || segment === undefined) {
    select({ segment: first, offset: 0, item: first.rows.length > 0 ? 0 : -1 });
  } else {
    select({ segment, offset: finding.offset, item: itemAt(segment, finding.offset) });
  }
}

main().then(
  () => {
    document.documentElement.dataset.ready = "true";
  },
  (error: unknown) => {
    byId("failure").hidden = false;
    byId("failure").textContent =
      `The page cannot be shown: ${error}. It needs a browser from 2023 or later.`;
  },
);
