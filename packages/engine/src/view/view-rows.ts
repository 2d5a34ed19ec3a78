import type { EntryCursor, ValueCopier } from "@kaya/lsm";
import type { RowKind } from "../row.js";
import type { ScanOf } from "../scan.js";
import { SyncRows } from "../sync-scan.js";
import type { ViewFormat } from "./view-reader.js";

/** An entry of a view, in its types. */
export interface ViewKeyValue<K, V> {
  /** The key, without the view's prefix. */
  readonly key: K;
  /** The value, as the codec decodes it. */
  readonly value: V;
}

/** What readings give of the entries of a view. Keys and values are decoded from the bytes that a cursor lends, where the codec keeps none of them. */
export interface ViewRowKinds<K, V> {
  readonly both: RowKind<ViewKeyValue<K, V>>;
  readonly pairs: RowKind<[key: K, value: V]>;
  readonly keys: RowKind<K>;
  readonly values: RowKind<V>;
}

export function rowKinds<K, V>({ keys, values }: ViewFormat<K, V, never, unknown>): ViewRowKinds<K, V> {
  const readKey = ({ key }: EntryCursor, copier: ValueCopier): K =>
    keys.decode(keys.takesLent ? key : copier.copy(key, 0, key.length));
  const readValue = ({ key, value }: EntryCursor, copier: ValueCopier): V =>
    values.decode(values.takesLent ? value : copier.copy(value, 0, value.length), key);
  const bytes = ({ key, value }: EntryCursor) => key.length + value.length;
  return {
    both: { read: (at, copier) => ({ key: readKey(at, copier), value: readValue(at, copier) }), bytes },
    pairs: { read: (at, copier) => [readKey(at, copier), readValue(at, copier)], bytes },
    keys: { read: readKey, bytes: ({ key }) => key.length },
    values: { read: readValue, bytes: ({ value }) => value.length },
  };
}

/** The entries of a range of a view for a loop without `await`, each as `{ key, value }`; or a part of each. */
export class ViewSyncScan<K, V> extends SyncRows<ViewKeyValue<K, V>> {
  readonly #of: ScanOf;
  readonly #kinds: ViewRowKinds<K, V>;

  /** @internal Made by `ViewReader.scanSync`. */
  constructor(of: ScanOf, kinds: ViewRowKinds<K, V>) {
    super(of, kinds.both);
    this.#of = of;
    this.#kinds = kinds;
  }

  /** The keys alone: values are not decoded. */
  keys(): SyncRows<K> {
    return new SyncRows(this.#of, this.#kinds.keys);
  }

  /** The values alone: keys are not decoded. */
  values(): SyncRows<V> {
    return new SyncRows(this.#of, this.#kinds.values);
  }

  /** The entries, each as the pair `[key, value]`. */
  entries(): SyncRows<[key: K, value: V]> {
    return new SyncRows(this.#of, this.#kinds.pairs);
  }
}
