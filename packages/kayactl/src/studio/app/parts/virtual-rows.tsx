import type { AriaRole, ComponentChildren, HTMLAttributes, JSX } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** What one row is. Its element is the list's own. */
export interface RowContent {
  readonly id?: string;
  readonly className?: string;
  readonly attributes?: HTMLAttributes<HTMLDivElement>;
  readonly children: ComponentChildren;
}

interface Props {
  readonly count: number;
  /** In pixels: all rows have the same. */
  readonly rowHeight: number;
  readonly rowAt: (index: number) => RowContent;
  readonly label: string;
  readonly className?: string;
  readonly role?: AriaRole;
  /** The row that arrow keys start from; -1: none yet. */
  readonly active?: number;
  readonly onActive?: (index: number) => void;
  /** Of the active row. Returns whether it did something. */
  readonly onKey?: (event: KeyboardEvent, index: number) => boolean;
  readonly onRowClick?: (index: number, event: MouseEvent) => void;
  /** The rows that are shown, after each move. */
  readonly onRange?: (from: number, to: number) => void;
  /** A row to be brought into view, once per change of `stamp`. */
  readonly reveal?: { readonly index: number; readonly stamp: unknown } | undefined;
  /** Rows that came in at the top since the last time: what is read stays where it is. */
  readonly prepended?: number;
}

/** No browser draws a taller element: Firefox ends at 17.8 million pixels. */
const MOST_PIXELS = 16_000_000;
const OVERSCAN = 8;

/**
 * A list of any length of which only the rows in view exist. Beyond `MOST_PIXELS` a pixel of the scroll bar stands for more than a pixel of
 * the list: the rows then stand in a layer that sticks to the view.
 */
export function VirtualRows(props: Props): JSX.Element {
  const { count, rowHeight, rowAt, label, role, active = -1, onRange, reveal, prepended = 0 } = props;
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const total = count * rowHeight;
  const height = Math.min(total, MOST_PIXELS);
  const scale = total > MOST_PIXELS ? (total - view.height) / (height - view.height) : 1;
  const top = view.top * scale;
  const from = Math.max(0, Math.floor(top / rowHeight) - OVERSCAN);
  const to = Math.min(count, Math.ceil((top + view.height) / rowHeight) + OVERSCAN);

  const measure = useCallback(() => {
    const element = box.current;
    if (element === null) return;
    const next = { top: element.scrollTop, height: element.clientHeight };
    setView((old) => (old.top === next.top && old.height === next.height ? old : next));
  }, []);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [measure]);
  useEffect(() => onRange?.(from, to), [from, to, count, onRange]);

  const scrollTo = useCallback(
    (index: number) => {
      const element = box.current;
      if (element === null || index < 0) return;
      const [rowTop, shown] = [index * rowHeight, element.scrollTop * scale];
      const viewHeight = element.clientHeight;
      const target =
        rowTop < shown
          ? rowTop
          : rowTop + rowHeight > shown + viewHeight
            ? rowTop + rowHeight - viewHeight
            : undefined;
      if (target === undefined) return;
      element.scrollTop = target / scale;
      measure();
    },
    [rowHeight, scale, measure],
  );
  useLayoutEffect(() => {
    if (reveal !== undefined) scrollTo(reveal.index);
  }, [reveal?.stamp]);
  const seenPrepended = useRef(prepended);
  useLayoutEffect(() => {
    const added = prepended - seenPrepended.current;
    seenPrepended.current = prepended;
    const element = box.current;
    if (element === null || added <= 0 || element.scrollTop === 0) return;
    element.scrollTop += (added * rowHeight) / scale;
    measure();
  }, [prepended]);

  const move = (index: number) => {
    const next = Math.max(0, Math.min(count - 1, index));
    props.onActive?.(next);
    scrollTo(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey || props.onActive === undefined || count === 0) return;
    if (props.onKey?.(event, active)) {
      event.preventDefault();
      return;
    }
    const page = Math.max(1, Math.floor(view.height / rowHeight) - 1);
    const steps: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: Math.max(0, active - 1),
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: count - 1,
    };
    const next = steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    move(next);
  };

  const rows: JSX.Element[] = [];
  let activeId: string | undefined;
  for (let index = from; index < to; index++) {
    const { id, className, attributes, children } = rowAt(index);
    if (index === active) activeId = id;
    const y = scale === 1 ? index * rowHeight : index * rowHeight - top;
    rows.push(
      <div
        {...attributes}
        key={index}
        {...(id !== undefined && { id })}
        data-index={index}
        class={`row ${className ?? ""} ${index === active ? "is-active" : ""}`}
        style={{ transform: `translateY(${y}px)`, height: `${rowHeight}px` }}
      >
        {children}
      </div>,
    );
  }
  const onClick = (event: MouseEvent) => {
    const row = (event.target as Element).closest<HTMLElement>("[data-index]");
    if (row !== null) props.onRowClick?.(Number(row.dataset.index), event);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useAriaPropsSupportedByRole: it always has a role
    <div
      ref={box}
      class={`rows ${props.className ?? ""}`}
      tabIndex={0}
      role={role ?? "region"}
      aria-label={label}
      {...(activeId !== undefined && { "aria-activedescendant": activeId })}
      onScroll={measure}
      onKeyDown={onKeyDown}
      onClick={onClick}
    >
      <div role="presentation" class="rows-room" style={{ height: `${height}px` }}>
        <div role="presentation" class={scale === 1 ? "rows-layer" : "rows-layer is-stuck"}>
          {rows}
        </div>
      </div>
    </div>
  );
}
