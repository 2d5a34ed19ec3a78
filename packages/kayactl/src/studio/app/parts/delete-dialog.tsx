import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Base64Url } from "../../api.js";
import { deleteValue, getValue, isConflict } from "../lib/client.js";
import { showKey } from "../lib/key-text.js";
import { noteOwnWrite } from "../model/live.js";
import type { LargeValue, WholeValue } from "../model/open-value.js";
import { type Version, Versions } from "./conflict-view.js";
import { Dialog } from "./dialog.js";
import { ErrorNote, say } from "./notice.js";
import { KeyText } from "./safe-text.js";

interface Props {
  readonly keyOf: Base64Url;
  readonly seen: WholeValue | LargeValue;
  readonly onClose: () => void;
  readonly onDeleted: () => void;
}

/** Bytes of a value that is compared with another. */
export const COMPARED_BYTES = 64 * 1024;

/** Asks, then deletes the value that was seen. If the value has changed, it shows both and asks again. */
export function DeleteDialog({ keyOf, seen, onClose, onDeleted }: Props): JSX.Element {
  const [etag, setEtag] = useState(seen.etag);
  const [theirs, setTheirs] = useState<Version | undefined>(undefined);
  const [error, setError] = useState<unknown>(undefined);
  const [isBusy, setBusy] = useState(false);
  const isGone = theirs !== undefined && theirs.bytes === undefined;
  const leave = () => {
    onClose();
    if (theirs !== undefined) onDeleted();
  };
  const remove = async () => {
    setBusy(true);
    setError(undefined);
    try {
      noteOwnWrite(await deleteValue(keyOf, etag));
      say("Deleted");
      onClose();
      onDeleted();
      return;
    } catch (caught) {
      try {
        if (!isConflict(caught)) throw caught;
        const now = await getValue(keyOf, 0, COMPARED_BYTES);
        setTheirs(now ?? { bytes: undefined, length: 0 });
        setEtag(now?.etag ?? "");
      } catch (another) {
        setError(another);
      }
    }
    setBusy(false);
  };
  const mine: Version = { ...seen, bytes: seen.kind === "whole" ? seen.bytes : seen.head };
  return (
    <Dialog
      title={theirs === undefined ? "Delete this key?" : "Somebody changed this key"}
      onClose={leave}
      isWide={theirs !== undefined}
    >
      <p class="dialog-key mono">
        <KeyText shown={showKey(keyOf)} />
      </p>
      {theirs === undefined && (
        <p>This cannot be undone. Nothing is deleted if somebody has changed the value since you saw it.</p>
      )}
      {theirs !== undefined && (
        <>
          <p>
            {isGone
              ? "Somebody else deleted it since you saw it. There is nothing left to delete."
              : "It was written since you saw it, so nothing was deleted. Delete the new value too?"}
          </p>
          <Versions theirs={theirs} mine={mine} mineTitle="The value you saw" />
        </>
      )}
      {error !== undefined && <ErrorNote error={error} />}
      <div class="dialog-buttons">
        <button type="button" onClick={leave} autofocus>
          {isGone ? "Close" : theirs === undefined ? "Cancel" : "Keep it"}
        </button>
        {!isGone && (
          <button type="button" class="is-dangerous is-main" disabled={isBusy} onClick={() => void remove()}>
            {theirs === undefined ? "Delete" : "Delete the new value"}
          </button>
        )}
      </div>
    </Dialog>
  );
}
