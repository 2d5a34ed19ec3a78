import { colorOf } from "./dom.js";
import { endOfPlace, itemAt, type Place, type Segment } from "./log-model.js";
import { RECORD_TYPES, TYPE_COUNT } from "./page-data.js";

/** The part of a segment that a strip shows: offsets, `to` not included. */
export interface View {
  readonly from: number;
  readonly to: number;
}

/** From this width on a record has an edge. */
const EDGED_WIDTH = 4;
/** Damage of one byte must be seen too. */
const LEAST_RANGE_WIDTH = 3;

/** A selection is never drawn narrower. */
const LEAST_FRAME_WIDTH = 11;

/** Draws a segment to scale. Where several records fall into a column, it is divided by their bytes. */
export function drawStrip(canvas: HTMLCanvasElement, segment: Segment, view: View, selected?: Place): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth, clientHeight } = canvas;
  canvas.width = Math.max(1, Math.round(clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(clientHeight * ratio));
  context.scale(ratio, ratio);
  canvas.classList.add("is-drawn");
  const strip = { context, width: clientWidth, height: clientHeight, view };
  drawItems(strip, segment);
  drawRanges(strip, segment);
  drawGaps(strip, segment);
  if (selected !== undefined) drawSelection(strip, selected);
}

interface Strip {
  readonly context: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
  readonly view: View;
}

function xOf({ width, view }: Strip, offset: number): number {
  return ((offset - view.from) / Math.max(1, view.to - view.from)) * width;
}

function drawItems(strip: Strip, segment: Segment): void {
  const { rows } = segment;
  const { context, width, height, view } = strip;
  const colors = RECORD_TYPES.map((type) => colorOf(type));
  const columns = new Float64Array(Math.ceil(width) * TYPE_COUNT);
  const first = Math.max(0, itemAt(segment, view.from));
  if (itemAt(segment, view.from) < 0) return;
  for (let i = first; i < rows.length; i++) {
    const start = rows.offsets[i] ?? 0;
    if (start >= view.to) break;
    const [from, to] = [xOf(strip, start), xOf(strip, rows.offsets[i + 1] ?? start)];
    if (to - from < EDGED_WIDTH) addToColumns(columns, rows, i, from, to);
    else {
      const share = (type: number) => rows.bytesOf(i, type) / ((rows.offsets[i + 1] ?? 0) - start);
      stack(context, colors, share, from, to - from - 1, height);
    }
  }
  for (let x = 0; x < width; x++) {
    let total = 0;
    for (let type = 0; type < TYPE_COUNT; type++) total += columns[x * TYPE_COUNT + type] ?? 0;
    if (total > 0)
      stack(context, colors, (type) => (columns[x * TYPE_COUNT + type] ?? 0) / total, x, 1, height);
  }
}

function addToColumns(
  columns: Float64Array,
  rows: Segment["rows"],
  item: number,
  from: number,
  to: number,
): void {
  const last = columns.length / TYPE_COUNT - 1;
  const end = Math.min(last, Math.max(Math.floor(from), Math.ceil(to) - 1));
  for (let x = Math.max(0, Math.floor(from)); x <= end; x++) {
    const share = (Math.min(to, x + 1) - Math.max(from, x)) / (to - from);
    for (let type = 0; type < TYPE_COUNT; type++) {
      const bytes = rows.bytesOf(item, type);
      if (bytes > 0) columns[x * TYPE_COUNT + type] = (columns[x * TYPE_COUNT + type] ?? 0) + bytes * share;
    }
  }
}

function stack(
  context: CanvasRenderingContext2D,
  colors: readonly string[],
  share: (type: number) => number,
  x: number,
  width: number,
  height: number,
): void {
  let bottom = height;
  for (let type = 0; type < TYPE_COUNT; type++) {
    const part = share(type) * height;
    if (part <= 0) continue;
    context.fillStyle = colors[type] ?? "";
    context.fillRect(x, bottom - part, width, part);
    bottom -= part;
  }
}

function drawRanges(strip: Strip, { ranges }: Segment): void {
  const { context, width, height, view } = strip;
  // The damage comes last: it may be narrower than what is drawn for it.
  for (const { kind, from, to } of ranges.toReversed()) {
    if (to <= view.from || from >= view.to) continue;
    const x = Math.max(0, Math.min(xOf(strip, from), width - LEAST_RANGE_WIDTH));
    const end = Math.max(Math.min(width, xOf(strip, to)), x + LEAST_RANGE_WIDTH);
    context.clearRect(x, 0, end - x, height);
    context.fillStyle = colorOf(kind);
    context.fillRect(x, 0, end - x, height);
    if (kind === "cut" || kind === "zeros") hatch(context, colorOf(`${kind}-line`), x, end, height);
  }
}

function drawGaps(strip: Strip, { gaps }: Segment): void {
  const { context, width, height } = strip;
  context.fillStyle = colorOf("damage");
  for (const offset of gaps) {
    const x = Math.max(1, xOf(strip, offset));
    if (x > width) continue;
    context.fillRect(x - 1, 0, 3, height);
  }
}

/** Told from records by more than a colour. */
function hatch(
  context: CanvasRenderingContext2D,
  color: string,
  from: number,
  to: number,
  height: number,
): void {
  context.save();
  context.beginPath();
  context.rect(from, 0, to - from, height);
  context.clip();
  context.strokeStyle = color;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let x = from - height; x < to; x += 7) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  context.restore();
}

function drawSelection(strip: Strip, place: Place): void {
  const { context, height, view } = strip;
  const start = place.offset;
  const end = endOfPlace(place);
  if (end <= view.from || start >= view.to) return;
  const [from, to] = [xOf(strip, start), xOf(strip, end)];
  // One that is narrow is framed from outside: its colour stays to be seen.
  const width = Math.max(LEAST_FRAME_WIDTH, to - from - 1);
  // At an edge of the strip the frame is cut off there, and nothing of what it frames is hidden.
  const left = from - Math.max(0, width - (to - from)) / 2;
  for (const [color, line] of [
    ["page", 5],
    ["mark", 2.5],
  ] as const) {
    context.strokeStyle = colorOf(color);
    context.lineWidth = line;
    context.strokeRect(left + 1, 2, width - 2, height - 4);
  }
}
