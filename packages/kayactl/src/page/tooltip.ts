import { byId } from "./dom.js";

const GAP = 14;

/** Shows lines beside the pointer; none: takes them away. It repeats what can be had by keyboard, and is hidden from screen readers. */
export function showTooltip(event: MouseEvent, lines: readonly string[]): void {
  const tip = byId("tooltip");
  tip.hidden = lines.length === 0;
  tip.replaceChildren(
    ...lines.map((line) => {
      const row = document.createElement("div");
      row.textContent = line;
      return row;
    }),
  );
  const { width, height } = tip.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const left = event.clientX + GAP + width > clientWidth ? event.clientX - GAP - width : event.clientX + GAP;
  const top =
    event.clientY + GAP + height > clientHeight ? event.clientY - GAP - height : event.clientY + GAP;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
}

export function hideTooltip(): void {
  byId("tooltip").hidden = true;
}
