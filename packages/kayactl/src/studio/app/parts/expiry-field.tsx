import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Expiry } from "../lib/client.js";
import { localTime } from "../lib/time.js";

interface Props {
  readonly seenAt: number | undefined;
  readonly isNew: boolean;
  readonly value: Expiry;
  readonly onChange: (value: Expiry) => void;
}

const HOUR = 3_600_000;

/** When a value expires: as it does now, never, or at a time. */
export function ExpiryField({ seenAt, isNew, value, onChange }: Props): JSX.Element {
  const [at, setAt] = useState(() => seenAt ?? Date.now() + HOUR);
  const kind = typeof value === "number" ? "at" : value;
  return (
    <div class="expiry">
      <label for="expiry-kind">Expires</label>
      <select
        id="expiry-kind"
        value={kind}
        onChange={({ currentTarget }) => {
          const next = currentTarget.value;
          onChange(next === "keep" || next === "never" ? next : at);
        }}
      >
        {!isNew && (
          <option value="keep">
            {seenAt === undefined ? "Never, as now" : `As now: ${localTime(seenAt)}`}
          </option>
        )}
        {(isNew || seenAt !== undefined || kind === "never") && <option value="never">Never</option>}
        <option value="at">At a time</option>
      </select>
      {kind === "at" && (
        <>
          <label class="unseen" for="expiry-at">
            Time it expires
          </label>
          <input
            id="expiry-at"
            type="datetime-local"
            step="1"
            required
            value={localTime(at).replace(" ", "T")}
            onInput={({ currentTarget }) => {
              const time = new Date(currentTarget.value).getTime();
              if (Number.isNaN(time)) return;
              setAt(time);
              onChange(time);
            }}
          />
        </>
      )}
    </div>
  );
}
