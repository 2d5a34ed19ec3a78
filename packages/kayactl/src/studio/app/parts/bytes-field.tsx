import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { hasUnsafeCharacter } from "../../../terminal/escape-text.js";
import { decodeText, encodeText, parseHex, toHex } from "../lib/bytes.js";

interface Props {
  readonly id: string;
  readonly label: string;
  readonly value: Uint8Array | undefined;
  /** Not called while what stands in the field is no hex. */
  readonly onChange: (bytes: Uint8Array | undefined) => void;
  readonly placeholder?: string;
  readonly isLabelShown?: boolean;
  readonly onEscape?: () => void;
  readonly onEnter?: () => void;
  readonly autoFocus?: boolean;
  /** What is typed counts at once: a form is sent with it. */
  readonly isImmediate?: boolean;
}

/** What is typed takes effect after so long without another key. */
const PAUSE_MS = 200;

function asShown(bytes: Uint8Array): { text: string; isHex: boolean } {
  const text = decodeText(bytes);
  return text === undefined || hasUnsafeCharacter(text)
    ? { text: toHex(bytes), isHex: true }
    : { text, isHex: false };
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return toHex(a ?? new Uint8Array()) === toHex(b ?? new Uint8Array());
}

/** Bytes that can be typed as text or as hex. An empty field is undefined. */
export function BytesField(props: Props): JSX.Element {
  const { id, label, value, onChange } = props;
  const first = asShown(value ?? new Uint8Array());
  const [text, setText] = useState(first.text);
  const [isHex, setHex] = useState(first.isHex);
  const given = useRef(value);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  // Changed from elsewhere: by Back, or a link.
  if (!same(given.current, value)) {
    given.current = value;
    const shown = asShown(value ?? new Uint8Array());
    setText(shown.text);
    setHex(shown.isHex);
  }
  const bytes = isHex ? parseHex(text) : encodeText(text);
  const give = (next: Uint8Array | undefined) => {
    clearTimeout(timer.current);
    if (next === undefined) return;
    const wanted = next.length === 0 ? undefined : next;
    if (same(given.current, wanted)) return;
    given.current = wanted;
    onChange(wanted);
  };
  const type = (next: string) => {
    setText(next);
    clearTimeout(timer.current);
    const take = () => give(isHex ? parseHex(next) : encodeText(next));
    if (props.isImmediate === true) take();
    else timer.current = setTimeout(take, PAUSE_MS);
  };
  const toggle = () => {
    if (bytes === undefined) return;
    const asText = decodeText(bytes);
    if (!isHex) setText(toHex(bytes));
    else if (asText === undefined) return;
    else setText(asText);
    setHex(!isHex);
  };
  const canToggle = bytes !== undefined && (!isHex || decodeText(bytes) !== undefined);
  return (
    <div class="field">
      <label for={id} class={props.isLabelShown === false ? "unseen" : ""}>
        {label}
      </label>
      <span class="field-box">
        <input
          id={id}
          class={isHex ? "mono" : ""}
          value={text}
          placeholder={isHex ? "bytes in hex" : (props.placeholder ?? "")}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          aria-invalid={bytes === undefined}
          {...(bytes === undefined && { "aria-describedby": `${id}-problem` })}
          {...(props.autoFocus === true && { autofocus: true })}
          onInput={(event) => type(event.currentTarget.value)}
          onBlur={() => give(bytes)}
          onKeyDown={(event) => {
            if (event.key === "Enter") {
              give(bytes);
              props.onEnter?.();
            } else if (event.key === "Escape" && props.onEscape !== undefined) {
              event.preventDefault();
              props.onEscape();
            }
          }}
        />
        <button
          type="button"
          class="field-mode"
          aria-label={`${isHex ? "hex" : "text"}: how ${label} is typed`}
          title={isHex ? "Typed in hex. Switch to text" : "Typed as text. Switch to hex"}
          disabled={!canToggle}
          onClick={toggle}
        >
          {isHex ? "hex" : "text"}
        </button>
      </span>
      {bytes === undefined && (
        <span id={`${id}-problem`} class="field-problem" role="alert">
          Not hex: two digits from 0 to f make a byte.
        </span>
      )}
    </div>
  );
}
