import { formatBytes } from "../units.js";
import { describePlace } from "./describe-place.js";
import { byId } from "./dom.js";
import { drawStrip, type View } from "./draw-strip.js";
import { itemAt, type Place, type Segment } from "./log-model.js";
import { hideTooltip, showTooltip } from "./tooltip.js";

const LEAST_VIEW = 64;
const STEP = 2;
const DRAG = 4;

/** One segment, which can be moved and magnified down to single records. A slider for assistive technology: its value is an offset. */
export class DetailStrip {
  readonly #canvas = byId("detail") as HTMLCanvasElement;
  readonly #onSelect: (place: Place) => void;
  #segment: Segment;
  #view: View;
  #place: Place | undefined;

  constructor(segment: Segment, onSelect: (place: Place) => void) {
    this.#segment = segment;
    this.#view = { from: 0, to: Math.max(1, segment.bytes) };
    this.#onSelect = onSelect;
    this.#listen();
    byId("zoom-in").addEventListener("click", () => this.#zoom(1 / STEP));
    byId("zoom-out").addEventListener("click", () => this.#zoom(STEP));
    byId("zoom-all").addEventListener("click", () => this.#setView({ from: 0, to: this.#segment.bytes }));
  }

  /** Shows a place. It stays in the same magnification where it can. */
  show(place: Place): void {
    if (place.segment !== this.#segment) {
      this.#segment = place.segment;
      this.#view = { from: 0, to: Math.max(1, place.segment.bytes) };
    }
    this.#place = place;
    const { from, to } = this.#view;
    if (place.offset < from || place.offset >= to) this.#setView(around(place.offset, to - from));
    else this.draw();
  }

  /** Magnifies so far that what is at the place can be told from its neighbours. */
  magnify(bytes: number): void {
    const offset = this.#place?.offset ?? 0;
    this.#setView(around(offset, Math.max(LEAST_VIEW, bytes)));
  }

  draw(): void {
    const { name, bytes } = this.#segment;
    const { from, to } = this.#view;
    drawStrip(this.#canvas, this.#segment, this.#view, this.#place);
    byId("detail-name").textContent = name;
    byId("axis-from").textContent = `offset ${Math.round(from)}`;
    byId("axis-scale").textContent =
      to - from >= bytes
        ? `all of it, ${formatBytes(bytes)}`
        : `${formatBytes(Math.round(to - from))} of ${formatBytes(bytes)}`;
    byId("axis-to").textContent = `${Math.round(to)}`;
    const aria = {
      "aria-valuemin": "0",
      "aria-valuemax": String(bytes),
      "aria-valuenow": String(this.#place?.offset ?? 0),
      "aria-valuetext":
        this.#place === undefined ? "nothing selected" : describePlace(this.#place).join(", "),
    };
    for (const [attribute, value] of Object.entries(aria)) this.#canvas.setAttribute(attribute, value);
  }

  #listen(): void {
    const canvas = this.#canvas;
    let grabbed: { x: number; view: View } | undefined;
    let isDragging = false;
    canvas.addEventListener("pointerdown", (event) => {
      grabbed = { x: event.clientX, view: this.#view };
      isDragging = false;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (grabbed !== undefined && (isDragging || Math.abs(event.clientX - grabbed.x) > DRAG)) {
        isDragging = true;
        hideTooltip();
        const { from, to } = grabbed.view;
        const moved = ((grabbed.x - event.clientX) / canvas.clientWidth) * (to - from);
        this.#setView({ from: from + moved, to: to + moved });
      } else {
        showTooltip(event, describePlace(this.#placeAt(event)));
      }
    });
    canvas.addEventListener("pointerup", (event) => {
      if (!isDragging && grabbed !== undefined) this.#onSelect(this.#placeAt(event));
      grabbed = undefined;
    });
    canvas.addEventListener("pointerleave", hideTooltip);
    canvas.addEventListener("dblclick", (event) =>
      this.#zoom(1 / (STEP * STEP), this.#placeAt(event).offset),
    );
    canvas.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Alone the wheel scrolls the page; with Ctrl (or two fingers pinching) it magnifies, sideways it moves. */
  #onWheel(event: WheelEvent): void {
    const { from, to } = this.#view;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.#zoom(1.002 ** Math.max(-300, Math.min(300, event.deltaY)), this.#placeAt(event).offset);
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const moved = (event.deltaX / this.#canvas.clientWidth) * (to - from);
      this.#setView({ from: from + moved, to: to + moved });
    }
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { from, to } = this.#view;
    const page = (to - from) / 2;
    const actions: Record<string, () => void> = {
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      Home: () => this.#selectItem(0),
      End: () => this.#selectItem(this.#segment.rows.length - 1),
      PageDown: () => this.#setView({ from: from + page, to: to + page }),
      PageUp: () => this.#setView({ from: from - page, to: to - page }),
      "+": () => this.#zoom(1 / STEP),
      "=": () => this.#zoom(1 / STEP),
      "-": () => this.#zoom(STEP),
      "0": () => this.#setView({ from: 0, to: this.#segment.bytes }),
    };
    const action = actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  }

  /** Selects the next record, or the one before. */
  step(by: 1 | -1): void {
    const { rows } = this.#segment;
    const at = this.#place?.item ?? -1;
    const next = at < 0 ? (by > 0 && this.#place === undefined ? 0 : rows.length - 1) : at + by;
    this.#selectItem(next);
  }

  #selectItem(item: number): void {
    const { rows, ranges } = this.#segment;
    const beyond = ranges[0];
    if (item >= rows.length && beyond !== undefined) {
      this.#onSelect({ segment: this.#segment, item: -1, offset: beyond.from });
    } else if (item >= 0 && item < rows.length) {
      this.#onSelect({ segment: this.#segment, item, offset: rows.offsets[item] ?? 0 });
    }
  }

  #placeAt(event: MouseEvent): Place {
    const { left, width } = this.#canvas.getBoundingClientRect();
    const { from, to } = this.#view;
    const offset = Math.floor(from + ((event.clientX - left) / width) * (to - from));
    const inside = Math.max(0, Math.min(this.#segment.bytes - 1, offset));
    return { segment: this.#segment, offset: inside, item: itemAt(this.#segment, inside) };
  }

  /** @param keep what stays where it is on the screen; default: what is selected, or the middle */
  #zoom(factor: number, keep?: number): void {
    const { from, to } = this.#view;
    const selected = this.#place?.offset;
    const isVisible = selected !== undefined && selected >= from && selected < to;
    const still = keep ?? (isVisible ? selected : (from + to) / 2);
    this.#setView({ from: still - (still - from) * factor, to: still + (to - still) * factor });
  }

  #setView({ from, to }: View): void {
    const most = Math.max(1, this.#segment.bytes);
    const length = Math.min(most, Math.max(LEAST_VIEW, to - from));
    const start = Math.max(0, Math.min(most - length, from));
    this.#view = { from: start, to: start + length };
    this.draw();
  }
}

function around(offset: number, length: number): View {
  return { from: offset - length / 2, to: offset + length / 2 };
}
