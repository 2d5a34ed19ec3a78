import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { formatBytes } from "../../../units.js";
import { decodeCutText } from "../lib/bytes.js";
import type { LargeValue, OpenValue } from "../model/open-value.js";
import { ErrorNote } from "./notice.js";
import { SafeText } from "./safe-text.js";
import { type RowContent, VirtualRows } from "./virtual-rows.js";

export const LINE_HEIGHT = 20;
const BYTES_A_LINE = 16;
/** Bytes of a line of hex where there is no room for sixteen. */
const BYTES_A_NARROW_LINE = 8;
const TEXT_PART = 256 * 1024;

/** Characters that a line of the element has room for. */
function useColumns(): { ref: { current: HTMLDivElement | null }; columns: number } {
  const ref = useRef<HTMLDivElement>(null);
  const [columns, setColumns] = useState(80);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const measure = () => {
      const probe = document.createElement("span");
      probe.className = "probe mono";
      probe.textContent = "0".repeat(50);
      element.append(probe);
      const width = probe.getBoundingClientRect().width / 50;
      probe.remove();
      if (width > 0) setColumns(Math.max(20, Math.floor((element.clientWidth - 40) / width)));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { ref, columns };
}

/** Lines of at most `columns` characters; `number` where a line of the text begins. */
function wrap(text: string, columns: number): { text: string; number?: number }[] {
  const lines: { text: string; number?: number }[] = [];
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    const characters = line.length <= columns ? undefined : [...line];
    if (characters === undefined) {
      lines.push({ text: line, number });
      continue;
    }
    for (let at = 0; at < characters.length; at += columns) {
      const part = characters.slice(at, at + columns).join("");
      lines.push(at === 0 ? { text: part, number } : { text: part });
    }
  }
  return lines;
}

export function TextView({ text, label }: { text: string; label: string }): JSX.Element {
  const { ref, columns } = useColumns();
  const digits = String(text.split("\n").length).length;
  const lines = useMemo(() => wrap(text, Math.max(10, columns - digits - 1)), [text, columns, digits]);
  const rowAt = (index: number): RowContent => {
    const line = lines[index];
    return {
      className: "text-line",
      children: (
        <>
          <span class="line-number" aria-hidden="true" style={{ width: `${digits}ch` }}>
            {line?.number}
          </span>
          <SafeText text={line?.text ?? ""} keepTabs />
        </>
      ),
    };
  };
  return (
    <div class="value-lines" ref={ref}>
      <VirtualRows
        count={lines.length}
        rowHeight={LINE_HEIGHT}
        rowAt={rowAt}
        label={label}
        className="mono"
      />
    </div>
  );
}

interface HexProps {
  readonly length: number;
  /** Undefined: on their way. */
  readonly bytesAt: (offset: number, length: number) => Uint8Array | undefined;
}

export function HexView({ length, bytesAt }: HexProps): JSX.Element {
  const { ref, columns } = useColumns();
  const width = columns >= 8 + 2 + 49 + 2 + 16 ? BYTES_A_LINE : BYTES_A_NARROW_LINE;
  const rowAt = (index: number): RowContent => {
    const offset = index * width;
    const bytes = bytesAt(offset, Math.min(width, length - offset));
    return {
      className: "hex-line",
      children: (
        <>
          <span class="hex-offset">{offset.toString(16).padStart(8, "0")}</span>
          {bytes === undefined ? (
            <span class="quiet">…</span>
          ) : (
            <>
              <span class="hex-bytes">{hexLine(bytes, width)}</span>
              <span class="hex-text">{[...bytes].map(printable).join("")}</span>
            </>
          )}
        </>
      ),
    };
  };
  return (
    <div class="value-lines" ref={ref}>
      <VirtualRows
        count={Math.ceil(length / width)}
        rowHeight={LINE_HEIGHT}
        rowAt={rowAt}
        label="Value in hex"
        className="mono"
      />
    </div>
  );
}

function hexLine(bytes: Uint8Array, width: number): string {
  const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
  const half = width / 2;
  return `${pairs
    .slice(0, half)
    .join(" ")
    .padEnd(half * 3 - 1)}  ${pairs
    .slice(half)
    .join(" ")
    .padEnd(half * 3 - 1)}`;
}

function printable(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·";
}

/** Hex of a value that is never whole in the page. */
export function LargeHex({ value, state }: { value: OpenValue; state: LargeValue }): JSX.Element {
  value.version.value;
  return (
    <>
      {value.partError.value !== undefined && (
        <ErrorNote error={value.partError.value} onRetry={() => void value.load()} />
      )}
      <HexView length={state.length} bytesAt={(offset, length) => value.bytesAt(offset, length)} />
    </>
  );
}

/** Text of a large value, one part after the other. */
export function LargeText({ value, state }: { value: OpenValue; state: LargeValue }): JSX.Element {
  const [part, setPart] = useState(0);
  const [text, setText] = useState<string | undefined>(undefined);
  const [error, setError] = useState<unknown>(undefined);
  const parts = Math.ceil(state.length / TEXT_PART);
  useEffect(() => {
    let isCurrent = true;
    setError(undefined);
    value.readPart(part * TEXT_PART, TEXT_PART).then(
      (bytes) => isCurrent && setText(textOfPart(bytes)),
      (caught: unknown) => isCurrent && setError(caught),
    );
    return () => {
      isCurrent = false;
    };
  }, [value, state.etag, part]);
  const from = part * TEXT_PART;
  return (
    <>
      <div class="pager">
        <button type="button" disabled={part === 0} onClick={() => setPart(part - 1)}>
          Previous part
        </button>
        <button type="button" disabled={part >= parts - 1} onClick={() => setPart(part + 1)}>
          Next part
        </button>
        <span role="status">
          Part {part + 1} of {parts}: {formatBytes(Math.min(TEXT_PART, state.length - from))} from byte {from}
        </span>
      </div>
      {error !== undefined && <ErrorNote error={error} onRetry={() => void value.load()} />}
      {text !== undefined && <TextView key={part} text={text} label={`Value as text, part ${part + 1}`} />}
    </>
  );
}

/** A part may begin and end inside a character. */
function textOfPart(bytes: Uint8Array): string {
  let start = 0;
  while (start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start++;
  const cut = bytes.subarray(start);
  return decodeCutText(cut) ?? new TextDecoder("utf-8", { ignoreBOM: true }).decode(cut);
}
