import { describePlace } from "./describe-place.js";
import { byId } from "./dom.js";
import { drawStrip } from "./draw-strip.js";
import { itemAt, type Place, type Segment } from "./log-model.js";
import { hideTooltip, showTooltip } from "./tooltip.js";

/** All segments under each other, to one scale. Each is drawn when it comes into sight. */
export class Overview {
  readonly #rows: { segment: Segment; button: HTMLButtonElement; canvas: HTMLCanvasElement }[] = [];
  readonly #visible = new Set<Element>();

  constructor(segments: readonly Segment[], onSelect: (place: Place) => void) {
    const largest = Math.max(1, ...segments.map(({ bytes }) => bytes));
    const observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.#visible.add(target);
        else this.#visible.delete(target);
      }
      this.draw();
    });
    // They stand in the page, in this order.
    const buttons = byId("segments").querySelectorAll<HTMLButtonElement>(".segment");
    for (const [index, segment] of segments.entries()) {
      const button = buttons[index];
      const canvas = button?.querySelector("canvas");
      if (button === undefined || canvas === null || canvas === undefined) continue;
      canvas.style.width = `${Math.max(0.4, (segment.bytes / largest) * 100)}%`;
      const placeAt = (event: MouseEvent): Place => {
        const { left, width } = canvas.getBoundingClientRect();
        const share = Math.max(0, Math.min(1, (event.clientX - left) / width));
        const offset = Math.min(Math.max(0, segment.bytes - 1), Math.floor(share * segment.bytes));
        return { segment, offset, item: itemAt(segment, offset) };
      };
      // A key press has no place of its own.
      button.addEventListener("click", (event) =>
        onSelect(
          event.detail === 0
            ? { segment, offset: 0, item: segment.rows.length > 0 ? 0 : -1 }
            : placeAt(event),
        ),
      );
      canvas.addEventListener("pointermove", (event) => showTooltip(event, describePlace(placeAt(event))));
      canvas.addEventListener("pointerleave", hideTooltip);
      this.#rows.push({ segment, button, canvas });
      observer.observe(canvas);
    }
  }

  show({ segment }: Place): void {
    for (const { segment: each, button } of this.#rows) {
      button.setAttribute("aria-pressed", String(each === segment));
      if (each === segment) scrollListTo(button);
    }
  }

  draw(): void {
    for (const { segment, canvas } of this.#rows) {
      if (this.#visible.has(canvas)) drawStrip(canvas, segment, { from: 0, to: Math.max(1, segment.bytes) });
    }
  }
}

/** Within the list: where the page stands is the reader's. */
function scrollListTo({ offsetTop, offsetHeight }: HTMLElement): void {
  const list = byId("segments");
  const isAbove = offsetTop < list.scrollTop;
  if (isAbove) list.scrollTop = offsetTop;
  else list.scrollTop = Math.max(list.scrollTop, offsetTop + offsetHeight - list.clientHeight);
}
