import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { hasUnsafeCharacter } from "../../../terminal/escape-text.js";
import { formatBytes } from "../../../units.js";
import type { Base64Url } from "../../api.js";
import { decodeText, encodeText, parseHex, toBase64Url, toHex } from "../lib/bytes.js";
import { type Condition, type Expiry, getValue, isConflict, putValue } from "../lib/client.js";
import { showKey } from "../lib/key-text.js";
import { noteOwnWrite } from "../model/live.js";
import { MOST_WHOLE, type WholeValue } from "../model/open-value.js";
import { BytesField } from "./bytes-field.js";
import { Choice } from "./choice.js";
import { type Version, Versions } from "./conflict-view.js";
import { Dialog } from "./dialog.js";
import { ExpiryField } from "./expiry-field.js";
import { ErrorNote, say } from "./notice.js";
import { KeyText } from "./safe-text.js";

interface Props {
  /** Undefined: a new key. */
  readonly keyOf?: Base64Url;
  readonly seen?: WholeValue;
  /** What a new key begins with. */
  readonly prefix?: Uint8Array;
  readonly onClose: () => void;
  readonly onWritten: (key: Base64Url) => void;
}

/** A text box makes one line break of a carriage return and a line feed: such a text would be stored changed. */
function isTypeable(text: string | undefined): text is string {
  return text !== undefined && !text.includes("\r") && !text.includes("\0");
}

/** Whether a text box shows all of its characters. */
function isPlain(text: string): boolean {
  return !hasUnsafeCharacter(text.replace(/[\n\t]/g, ""));
}

/** Edits a value, or writes a new key. If the value has changed since it was seen, it shows both and asks. */
export function EditDialog({ keyOf, seen, prefix, onClose, onWritten }: Props): JSX.Element {
  const seenText = seen === undefined ? "" : decodeText(seen.bytes);
  const canText = isTypeable(seenText);
  const [key, setKey] = useState<Uint8Array>(prefix ?? new Uint8Array());
  const [mode, setMode] = useState<"text" | "hex">(canText && isPlain(seenText) ? "text" : "hex");
  const [atFirst] = useState(mode === "text" && canText ? seenText : toHex(seen?.bytes ?? new Uint8Array()));
  const [typed, setTyped] = useState(atFirst);
  const [isLeaving, setLeaving] = useState(false);
  const [expiry, setExpiry] = useState<Expiry>(seen === undefined ? "never" : "keep");
  const [condition, setCondition] = useState<Condition>(seen === undefined ? "absent" : { etag: seen.etag });
  const [theirs, setTheirs] = useState<Version | undefined>(undefined);
  const [isComparing, setComparing] = useState(false);
  const [error, setError] = useState<unknown>(undefined);
  const [isBusy, setBusy] = useState(false);

  const bytes = mode === "text" ? encodeText(typed) : parseHex(typed);
  const written = keyOf ?? toBase64Url(key);
  const wasJson = seen?.formats.json !== undefined;
  const switchTo = (next: "text" | "hex") => {
    if (bytes === undefined || next === mode) return;
    const text = decodeText(bytes);
    if (next === "text" && !isTypeable(text)) return;
    setTyped(next === "hex" ? toHex(bytes) : (text ?? ""));
    setMode(next);
  };
  const changeKey = (next: Uint8Array | undefined) => {
    setKey(next ?? new Uint8Array());
    // The ETag that was seen belongs to the key before.
    setCondition("absent");
  };
  const save = async () => {
    if (bytes === undefined) return;
    setBusy(true);
    setError(undefined);
    try {
      noteOwnWrite(await putValue(written, bytes, condition, expiry));
      say(seen === undefined ? "Written" : "Saved");
      onClose();
      onWritten(written);
      return;
    } catch (caught) {
      try {
        if (!isConflict(caught)) throw caught;
        const now = await getValue(written, 0, MOST_WHOLE);
        setTheirs(now ?? { bytes: undefined, length: 0 });
        setCondition(now === undefined ? "absent" : { etag: now.etag });
        // "As now" would keep the expiry of their value.
        if (expiry === "keep") setExpiry(seenExpiry(seen));
        setComparing(true);
      } catch (another) {
        setError(another);
      }
    }
    setBusy(false);
  };
  /** The first call warns, the second one discards what was typed. */
  const leave = () => {
    if (typed === atFirst || isLeaving) onClose();
    else setLeaving(true);
  };
  const takeTheirs = () => {
    onClose();
    onWritten(written);
  };

  if (isComparing && theirs !== undefined && bytes !== undefined) {
    const isGone = theirs.bytes === undefined;
    return (
      <Dialog key="conflict" title="Somebody changed this key" onClose={() => setComparing(false)} isWide>
        <p class="dialog-key mono">
          <KeyText shown={showKey(written)} />
        </p>
        <p>
          {seen === undefined
            ? "There is already a key of this name, so nothing was written."
            : isGone
              ? "It was deleted since you saw it, so nothing was written."
              : "It was written since you saw it, so yours was not written."}{" "}
          Which version do you want to keep?
        </p>
        <Versions
          theirs={theirs}
          mine={{ bytes, length: bytes.length, ...(typeof expiry === "number" && { expiresAt: expiry }) }}
          mineTitle="Yours"
        />
        {error !== undefined && <ErrorNote error={error} />}
        <div class="dialog-buttons">
          <button type="button" onClick={() => setComparing(false)} autofocus>
            Go on editing
          </button>
          <button type="button" onClick={takeTheirs}>
            {isGone ? "Leave it deleted" : "Keep theirs"}
          </button>
          <button type="button" class="is-dangerous is-main" disabled={isBusy} onClick={() => void save()}>
            {isGone ? "Write yours" : "Replace it with yours"}
          </button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog key="edit" title={seen === undefined ? "New key" : "Edit the value"} onClose={leave} isWide>
      <form
        class="edit-form"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        {keyOf === undefined ? (
          <BytesField id="new-key" label="Key" value={key} onChange={changeKey} autoFocus isImmediate />
        ) : (
          <p class="dialog-key mono">
            <KeyText shown={showKey(keyOf)} />
          </p>
        )}
        <div class="edit-head">
          <label for="edit-value">Value</label>
          <Choice
            label="Type the value as"
            name="edit-mode"
            value={mode}
            options={[
              { value: "text", text: "Text" },
              { value: "hex", text: "Hex" },
            ]}
            onChange={switchTo}
          />
        </div>
        <textarea
          id="edit-value"
          class="mono"
          rows={12}
          spellcheck={false}
          value={typed}
          autofocus={keyOf !== undefined}
          aria-describedby="edit-note"
          aria-invalid={bytes === undefined}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            setLeaving(false);
          }}
        />
        <p id="edit-note" class={bytes === undefined ? "field-problem" : "quiet"} role="status">
          {noteOf(bytes, mode, wasJson)}
        </p>
        <ExpiryField
          seenAt={seen?.expiresAt}
          isNew={seen === undefined}
          value={expiry}
          onChange={setExpiry}
        />
        {error !== undefined && <ErrorNote error={error} />}
        <div class="dialog-buttons">
          {isLeaving && (
            <span class="leaving" role="alert">
              Your changes are not saved.
            </span>
          )}
          <button type="button" onClick={leave}>
            {isLeaving ? "Discard changes" : "Cancel"}
          </button>
          <button
            type="submit"
            class="is-main"
            disabled={isBusy || bytes === undefined || (keyOf === undefined && key.length === 0)}
          >
            {seen === undefined ? "Write" : "Save"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** The expiry that the user saw, of a value that is no longer the one in the store: an expiry that has passed is not kept. */
function seenExpiry(seen: WholeValue | undefined): Expiry {
  const { expiresAt = 0 } = seen ?? {};
  return expiresAt > Date.now() ? expiresAt : "never";
}

function noteOf(bytes: Uint8Array | undefined, mode: "text" | "hex", wasJson: boolean): string {
  if (bytes === undefined) return "Not hex: two digits from 0 to f make a byte.";
  const size = formatBytes(bytes.length);
  const text = decodeText(bytes);
  if (text === undefined) return `${size}. It is not text, so it is edited in hex.`;
  if (!isTypeable(text))
    return `${size}. A text box would change some of its characters, so it is edited in hex.`;
  if (!isPlain(text)) {
    return mode === "hex"
      ? `${size}. A text box would hide some of its characters. Hex shows all of them.`
      : `${size}. Some of its characters are invisible here, or change how others look.`;
  }
  if (!wasJson || mode === "hex") return size;
  try {
    JSON.parse(text);
    return `${size}, valid JSON`;
  } catch {
    return `${size}. It is no longer valid JSON. It can be saved as it is.`;
  }
}
