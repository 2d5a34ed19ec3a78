import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { formatBytes, formatCount } from "../../../units.js";
import type { Base64Url } from "../../api.js";
import { decodeCutText, decodeText, fromBase64Url, startsWith, toHex } from "../lib/bytes.js";
import { downloadUrl } from "../lib/client.js";
import { keyLabel, showBytes } from "../lib/key-text.js";
import { go, route, textOf } from "../lib/route.js";
import { clockTime, localTime, now, roughDuration } from "../lib/time.js";
import { looks, onChanges, prefixFollowed, reconnects } from "../model/live.js";
import { type LargeValue, OpenValue, type OtherValue, type WholeValue } from "../model/open-value.js";
import { canWrite } from "../model/store.js";
import { FORMAT_NAMES, FORMATS, type Format, formatOfBeginning } from "../model/value-format.js";
import { Choice } from "./choice.js";
import { DeleteDialog } from "./delete-dialog.js";
import { EditDialog } from "./edit-dialog.js";
import { NodeView } from "./node-view.js";
import { copy, Empty, ErrorNote } from "./notice.js";
import { KeyText } from "./safe-text.js";
import { HexView, LargeHex, LargeText, TextView } from "./value-body.js";

/** One key with its value, and the buttons to copy, save, edit and delete it. */
export function ValuePanel({ keyOf, onBack }: { keyOf: Base64Url; onBack: () => void }): JSX.Element {
  const value = useMemo(() => new OpenValue(keyOf), [keyOf]);
  useEffect(() => {
    const stop = onChanges((batch) => value.apply(batch));
    const bytes = fromBase64Url(keyOf);
    const stopLooking = looks.subscribe(() => {
      void value.check(startsWith(bytes, fromBase64Url(prefixFollowed())));
    });
    return () => {
      stop();
      stopLooking();
      value.close();
    };
  }, [value]);
  const tries = reconnects.value;
  useEffect(() => {
    if (tries > 0 && value.state.value.kind === "error") void value.load();
  }, [tries]);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // Where the panel takes the place of the list, the list's focus is gone.
    if (matchMedia("(max-width: 52rem)").matches) heading.current?.focus();
  }, [keyOf]);
  const state = value.state.value;
  const other = value.changed.value;
  // A key without a value cannot lose it.
  const change = other?.isGone === true && state.kind === "absent" ? undefined : other;
  const keyBytes = fromBase64Url(keyOf);
  const shown = showBytes(keyBytes);
  return (
    <section
      class="panel value-panel"
      aria-label="Value"
      onKeyDown={(event) => {
        if (event.key === "Escape" && !(event.target as Element).closest("dialog")) onBack();
      }}
    >
      <button type="button" class="back" onClick={onBack}>
        Back to the keys
      </button>
      <div class="value-head">
        <h2 class="value-key mono" tabIndex={-1} ref={heading}>
          <KeyText shown={shown} />
        </h2>
        <button
          type="button"
          class="quiet-button"
          onClick={() => void copy(decodeText(keyBytes) ?? toHex(keyBytes), "Key")}
        >
          Copy key
        </button>
      </div>
      {change !== undefined && (
        <div class={`changed-note ${change.isGone ? "is-delete" : "is-put"}`} role="status">
          <span>{changeText(change, state.kind === "absent")}</span>
          <button type="button" onClick={() => void value.load()}>
            Show it
          </button>
        </div>
      )}
      {state.kind === "loading" && <p class="quiet loading">Reading…</p>}
      {state.kind === "absent" && (
        <Empty title="This key has no value">It was deleted, it expired, or it was never written.</Empty>
      )}
      {state.kind === "error" && <ErrorNote error={state.error} onRetry={() => void value.load()} />}
      {(state.kind === "whole" || state.kind === "large") && (
        <Loaded value={value} state={state} onGone={() => void value.load()} />
      )}
    </section>
  );
}

function changeText({ isGone, at }: OtherValue, wasAbsent: boolean): string {
  const time = at === undefined ? "." : ` at ${clockTime(at)}.`;
  // A change that was not told may be an expiry.
  if (isGone) return at === undefined ? "This key has no value any more." : `This key was deleted${time}`;
  return `${wasAbsent ? "This key was written" : "This value was replaced"}${time}`;
}

interface LoadedProps {
  readonly value: OpenValue;
  readonly state: WholeValue | LargeValue;
  readonly onGone: () => void;
}

function Loaded({ value, state, onGone }: LoadedProps): JSX.Element {
  const [dialog, setDialog] = useState<"edit" | "delete" | undefined>(undefined);
  const formats = useMemo(() => availableFormats(state), [state]);
  const asked = FORMATS.find((format) => format === textOf(route.value, "view"));
  const format = asked !== undefined && formats.some((each) => each === asked) ? asked : bestOf(state);
  const close = () => setDialog(undefined);
  return (
    <>
      <Facts state={state} />
      <div class="tools">
        {formats.length > 1 && state.length > 0 && (
          <Choice
            label="Show the value as"
            name="format"
            value={format}
            options={formats.map((each) => ({ value: each, text: FORMAT_NAMES[each] }))}
            onChange={(next) => go({ view: next === bestOf(state) ? undefined : next }, false)}
          />
        )}
        <span class="tools-end">
          {state.kind === "whole" && (
            <button type="button" onClick={() => void copy(copyText(state, format), "Value")}>
              Copy
            </button>
          )}
          <a class="button" href={downloadUrl(value.key)} download>
            Download
          </a>
          {canWrite() && (
            <>
              {state.kind === "whole" && (
                <button type="button" onClick={() => setDialog("edit")}>
                  Edit
                </button>
              )}
              <button type="button" class="is-dangerous" onClick={() => setDialog("delete")}>
                Delete
              </button>
            </>
          )}
        </span>
      </div>
      {state.kind === "large" && (
        <p class="quiet">
          It is larger than 1 MiB, so it is shown in parts and not decoded. Download it to get the whole
          value.
        </p>
      )}
      <Body value={value} state={state} format={format} />
      {dialog === "edit" && state.kind === "whole" && (
        <EditDialog keyOf={value.key} seen={state} onClose={close} onWritten={() => void value.load()} />
      )}
      {dialog === "delete" && (
        <DeleteDialog keyOf={value.key} seen={state} onClose={close} onDeleted={onGone} />
      )}
    </>
  );
}

function Facts({ state }: { state: WholeValue | LargeValue }): JSX.Element {
  const { length, expiresAt, etag } = state;
  const left = expiresAt === undefined ? 0 : expiresAt - now.value;
  return (
    <dl class="facts">
      <div>
        <dt>Size</dt>
        <dd>
          {formatBytes(length)}
          {length >= 1024 && <span class="quiet"> {formatCount(length)} bytes</span>}
        </dd>
      </div>
      <div>
        <dt>Expires</dt>
        <dd>
          {expiresAt === undefined ? (
            "Never"
          ) : (
            <>
              {left > 0 ? `in ${roughDuration(left)}` : "has expired"}
              <span class="quiet"> {localTime(expiresAt)}</span>
            </>
          )}
        </dd>
      </div>
      <div>
        <dt>Sequence</dt>
        <dd class="mono">{etag.replaceAll('"', "")}</dd>
      </div>
    </dl>
  );
}

function availableFormats(state: WholeValue | LargeValue): Format[] {
  if (state.kind === "large") return decodeCutText(state.head) === undefined ? ["hex"] : ["text", "hex"];
  const { json, msgpack, text } = state.formats;
  return FORMATS.filter(
    (format) =>
      format === "hex" ||
      (format === "json" && json !== undefined) ||
      (format === "msgpack" && msgpack !== undefined) ||
      (format === "text" && text !== undefined),
  );
}

function bestOf(state: WholeValue | LargeValue): Format {
  return state.kind === "whole" ? state.formats.best : formatOfBeginning(decodeCutText(state.head));
}

function copyText({ bytes, formats }: WholeValue, format: Format): string {
  return format === "hex" || formats.text === undefined ? toHex(bytes) : formats.text;
}

function Body({
  value,
  state,
  format,
}: {
  value: OpenValue;
  state: WholeValue | LargeValue;
  format: Format;
}): JSX.Element {
  if (state.length === 0) return <Empty title="The value is empty">It has no bytes; the key is there.</Empty>;
  if (state.kind === "large") {
    return format === "text" ? (
      <LargeText value={value} state={state} />
    ) : (
      <LargeHex value={value} state={state} />
    );
  }
  const { json, msgpack, text } = state.formats;
  const node = format === "json" ? json : format === "msgpack" ? msgpack : undefined;
  if (node !== undefined) {
    return (
      <NodeView key={`${state.etag}-${format}`} root={node} label={`Value as ${FORMAT_NAMES[format]}`} />
    );
  }
  if (format === "text" && text !== undefined) return <TextView text={text} label="Value as text" />;
  const { bytes } = state;
  return (
    <HexView length={bytes.length} bytesAt={(offset, length) => bytes.subarray(offset, offset + length)} />
  );
}

/** For the title of the page. */
export function titleOfKey(key: Base64Url): string {
  const label = keyLabel(key);
  return label.length > 60 ? `${label.slice(0, 60)}…` : label;
}
