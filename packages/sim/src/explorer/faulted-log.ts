import type { WalConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { isGranted } from "./answers.js";
import { FaultedStore, type FaultedStoreOptions } from "./faulted-store.js";
import type { HistoryNotes } from "./history.js";
import { WalSession } from "./wal-session.js";
import { batch, del, put, value, type WalWrite } from "./wal-write.js";

/** The part of a log that the first fault of a pair strikes. */
export type LogAction = "append" | "append at once" | "rotate" | "drop" | "close" | "open";

export interface FaultedLogOptions {
  readonly seed: number;
  readonly config: Partial<WalConfig>;
  readonly losesRelaxed: boolean;
}

/** A log's writer in use while faults strike. */
export class FaultedLog extends FaultedStore<WalSession> {
  readonly #action: LogAction;

  constructor(disk: SimDisk, history: HistoryNotes<WalWrite>, action: LogAction, options: FaultedLogOptions) {
    super(new WalSession(disk, history, options), { seed: options.seed, action: actionOf(action) });
    this.#action = action;
  }

  protected async write(round: number): Promise<void> {
    await this.session.append([put(`p${round}`, value(60 + 40 * (round % 4)))]);
    await this.session.append([put(`q${round}`), "relaxed"]);
    if (this.#action !== "drop") return;
    await this.session.append([put("r", value(500)), "relaxed"]);
    await this.session.append([put("s", value(500)), "relaxed"]);
  }

  protected async use(round: number): Promise<void> {
    const { session } = this;
    switch (this.#action) {
      case "append":
        await session.append(
          [put("a", value(100)), "relaxed"],
          [batch(put("b"), del("a"))],
          [put("c"), "relaxed"],
        );
        await session.append([put("d", value(400)), "relaxed"]);
        await session.append([put("e", value(350))], [put("f"), "relaxed"]);
        return;
      case "append at once": {
        const queued = session.append([put("a", value(100)), "relaxed"], [batch(put("b"), del("a"))]);
        session.appendNow(put("c", value(100)), "relaxed");
        session.appendNow(put("d", value(400)));
        await queued;
        session.appendNow(put("e", value(350)), "relaxed");
        session.appendNow(put("f"));
        return;
      }
      case "rotate":
        await session.rotate();
        await session.append([put(`behind ${round}`), "relaxed"]);
        return;
      case "drop": {
        const beside = () => session.append([put("beside", value(200)), "relaxed"]);
        await isGranted(session.checkpoint(beside));
      }
    }
  }

  protected async mustWork(round: number): Promise<void> {
    await this.session.append([put(`mended ${round}`)]);
    const { failure, durableLsn, nextLsn } = this.session.writer;
    if (failure === undefined && durableLsn === nextLsn - 1) return;
    throw new Error(`the log takes no record, and no fault strikes any more: ${failure}`);
  }
}

function actionOf(action: LogAction): FaultedStoreOptions["action"] {
  return action === "close" || action === "open" ? action : "use";
}
