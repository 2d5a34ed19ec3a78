import { type Engine, type Snapshot as EngineSnapshot, KayaError } from "@kaya/engine";
import { AbstractSnapshot } from "abstract-level";

/** An explicit snapshot: a token that reads take as an option. */
export class KayaSnapshot extends AbstractSnapshot {
  readonly view: EngineSnapshot;

  /** @param options with the database that closes it, itself or one of its sublevels */
  constructor(options: object, engine: Engine) {
    // @ts-expect-error The types have no argument; the class needs the owner.
    super(options);
    this.view = engine.snapshot();
  }

  protected async _close(): Promise<void> {
    this.view.close();
  }
}

/**
 * The engine's snapshot behind a snapshot option.
 * @throws KayaError KAYA_INVALID_ARGUMENT for a snapshot of another kind of database
 */
export function viewOf(snapshot: AbstractSnapshot): EngineSnapshot {
  if (snapshot instanceof KayaSnapshot) return snapshot.view;
  throw new KayaError("KAYA_INVALID_ARGUMENT", "the snapshot is of another database");
}
