import { type ChannelListener, subscribe, unsubscribe } from "node:diagnostics_channel";

/** Listens on channels until it is stopped. */
export class Listeners {
  readonly #subscriptions: [name: string, listener: ChannelListener][] = [];

  /** @param name of a channel whose messages are of type T */
  on<T>(name: string, listener: (message: T) => void): void {
    const subscribed: ChannelListener = (message) => listener(message as T);
    subscribe(name, subscribed);
    this.#subscriptions.push([name, subscribed]);
  }

  stop(): void {
    for (const [name, listener] of this.#subscriptions.splice(0)) unsubscribe(name, listener);
  }
}
