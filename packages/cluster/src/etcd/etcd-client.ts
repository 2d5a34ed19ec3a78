import { setMaxListeners } from "node:events";
import { type ClientDuplexStream, Metadata } from "@grpc/grpc-js";
import { asKayaError, type KayaError, throwIfAborted } from "@kaya/core";
import { SYSTEM_CLOCK } from "../clock.js";
import { closed } from "../log-rules.js";
import type { CallOptions } from "../shared-log.js";
import { unlessAborted } from "../within.js";
import { type CallLimits, type Member, membersOf } from "./channels.js";
import { EtcdError, inDoubt, noMajority, type Outcome, refusal } from "./etcd-errors.js";
import type { EtcdSettings } from "./options.js";
import { RPC, type Rpc } from "./protocol.js";

const HEDGE_MS = 500;
const ROUND_PAUSE_MS = 100;

/** Outcomes that the caller of `write` handles. They are not failures of the connection. */
export type WriteOutcome = Extract<Outcome, "noSpace" | "compacted" | "leaseNotFound">;
const DECIDED_ABOVE: ReadonlySet<Outcome> = new Set<WriteOutcome>(["noSpace", "compacted", "leaseNotFound"]);
// The failed call did nothing, and another member may succeed.
const ELSEWHERE: ReadonlySet<Outcome> = new Set<Outcome>(["unsent", "busy", "refused"]);

type Attempt<T> = (member: Member, limits: CallLimits) => Promise<T>;

/** Calls etcd: chooses the member, repeats reads, limits the time, and signs in. */
export class EtcdClient {
  readonly #settings: EtcdSettings;
  readonly #members: readonly Member[];
  readonly #closing = new AbortController();
  #preferred = 0;
  #token: Promise<string> | undefined;

  constructor(settings: EtcdSettings) {
    this.#settings = settings;
    this.#members = membersOf(settings);
    // Each call under way adds a listener.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Aborts when the client is closed. Its reason is the error of the pending calls. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Asks the members until one answers. If a member is slow, the next one is asked too.
   * @throws KayaError KAYA_NO_MAJORITY, KAYA_IO, KAYA_CLOSED; the signal's reason
   */
  async read<Q, R>(doing: string, rpc: Rpc<Q, R>, request: Q, options?: CallOptions): Promise<R> {
    return await this.#guarded(doing, options, (signal) =>
      this.#authenticated((metadata) =>
        this.#askAll((member, limits) => member.call(rpc, request, { ...limits, metadata }), signal),
      ),
    );
  }

  /**
   * Makes one attempt on one member. It tries the next member only if nothing was sent, or if the member refused the call before it did
   * anything.
   * @throws KayaError KAYA_NO_MAJORITY, KAYA_IO: nothing was done; KAYA_IN_DOUBT; EtcdError with a `WriteOutcome`
   */
  async write<Q, R>(doing: string, rpc: Rpc<Q, R>, request: Q, options?: CallOptions): Promise<R> {
    return await this.#guarded(doing, options, (signal) =>
      this.#authenticated((metadata) =>
        this.#askOne((member, limits) => member.call(rpc, request, { ...limits, metadata }), signal),
      ),
    );
  }

  /** Opens a stream on the member that answered last, or on the next one that can be reached. The caller ends the stream. */
  async stream<Q, R>(
    doing: string,
    rpc: Rpc<Q, R>,
    options?: CallOptions,
  ): Promise<ClientDuplexStream<Q, R>> {
    return await this.#guarded(doing, options, (signal) =>
      this.#authenticated((metadata) => {
        // With this header, the member ends the stream when it loses the majority.
        metadata.set("hasleader", "true");
        return this.#askOne((member, limits) => member.stream(rpc, { ...limits, metadata }), signal);
      }),
    );
  }

  /** The time limit of a call, in milliseconds. */
  get timeoutMs(): number {
    return this.#settings.timeoutMs;
  }

  /** Lets the next call begin with another member. */
  rotate(): void {
    this.#preferred = (this.#preferred + 1) % this.#members.length;
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(closed(this.#settings.name));
    for (const member of this.#members) member.close();
  }

  // The call rejects immediately when the caller aborts it or the client is closed.
  async #guarded<T>(
    doing: string,
    options: CallOptions | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(options?.signal);
    throwIfAborted(this.#closing.signal);
    const call = new AbortController();
    const sources = [options?.signal, this.#closing.signal].filter((source) => source !== undefined);
    const abort = () => call.abort(sources.find(({ aborted }) => aborted)?.reason);
    // `AbortSignal.any` is not used: a long-lived signal would then keep each call in memory.
    for (const source of sources) source.addEventListener("abort", abort, { once: true });
    try {
      return await unlessAborted(work(call.signal), call.signal);
    } catch (error) {
      throwIfAborted(call.signal);
      throw this.#explain(doing, error);
    } finally {
      for (const source of sources) source.removeEventListener("abort", abort);
    }
  }

  #explain(doing: string, error: unknown): KayaError | EtcdError {
    const { name } = this.#settings;
    if (!(error instanceof EtcdError)) return asKayaError(error, `${name}: ${doing}`);
    if (DECIDED_ABOVE.has(error.outcome)) return error;
    if (error.outcome === "refused" || error.outcome === "unauthenticated")
      return refusal(name, doing, error);
    if (error.outcome === "unknown") return inDoubt(name, doing, error);
    return noMajority(name, doing, error);
  }

  // A token expires, and a restarted member forgets it. A call that was refused for its token did nothing, so it may be repeated.
  async #authenticated<T>(work: (metadata: Metadata) => Promise<T>): Promise<T> {
    const used = this.#settings.credentials === undefined ? undefined : await this.#signedIn();
    try {
      return await work(withToken(used));
    } catch (error) {
      const isOld = error instanceof EtcdError && error.outcome === "unauthenticated";
      if (!isOld || used === undefined) throw error;
      return await work(withToken(await this.#signedIn(used)));
    }
  }

  async #signedIn(old?: string): Promise<string> {
    const current = await this.#token?.catch(() => undefined); // an error is reported by the next attempt below
    if (current !== undefined && current !== old) return current;
    const signing = this.#signIn();
    this.#token = signing;
    try {
      return await signing;
    } catch (error) {
      if (this.#token === signing) this.#token = undefined;
      // The unknown outcome is that of the sign-in. The call itself was not sent.
      if (error instanceof EtcdError && error.outcome === "unknown") throw error.unsent();
      throw error;
    }
  }

  async #signIn(): Promise<string> {
    const request = this.#settings.credentials ?? { name: "", password: "" };
    const metadata = new Metadata();
    const answer = await this.#askAll(
      (member, limits) => member.call(RPC.authenticate, request, { ...limits, metadata }),
      this.#closing.signal,
    );
    return answer.token;
  }

  async #askOne<T>(attempt: Attempt<T>, signal: AbortSignal): Promise<T> {
    const deadline = performance.now() + this.#settings.timeoutMs;
    let worst: EtcdError | undefined;
    for (let tried = 0; tried < this.#members.length; tried++) {
      try {
        return await this.#ask(this.#preferred, attempt, deadline, signal);
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (error.outcome === "unsent" || error.outcome === "unknown" || error.outcome === "busy")
          this.rotate();
        if (!ELSEWHERE.has(error.outcome) || isAnswer(error)) throw error;
        if (error.outcome === "refused") this.rotate();
        if (worst?.outcome !== "refused") worst = error;
        if (signal.aborted || performance.now() >= deadline) break;
      }
    }
    throw worst ?? new EtcdError("unsent", this.#settings.name, "no member could be reached");
  }

  async #askAll<T>(attempt: Attempt<T>, signal: AbortSignal): Promise<T> {
    const deadline = performance.now() + this.#settings.timeoutMs;
    for (;;) {
      const round = new AbortController();
      const stop = AbortSignal.any([signal, round.signal]);
      try {
        return await this.#askRound(attempt, deadline, stop);
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        const isFinal = error.outcome !== "unsent" && error.outcome !== "busy" && error.outcome !== "unknown";
        if (isFinal || signal.aborted) throw error;
        if (performance.now() + ROUND_PAUSE_MS >= deadline) throw error.unsent();
        await SYSTEM_CLOCK.sleep(ROUND_PAUSE_MS, signal);
      } finally {
        round.abort();
      }
    }
  }

  /** Asks each member once. The next one is asked after a pause or a failure. The first answer counts. */
  async #askRound<T>(attempt: Attempt<T>, deadline: number, signal: AbortSignal): Promise<T> {
    const first = this.#preferred;
    const asked: Promise<T>[] = [];
    for (let index = 0; index < this.#members.length; index++) {
      const asking = this.#ask((first + index) % this.#members.length, attempt, deadline, signal);
      asked.push(asking);
      const isLast = index === this.#members.length - 1;
      const answered = Promise.any(asked);
      const failed = asking.then(never, () => undefined); // the error is reported below if no other member answers
      const waited = isLast ? never() : SYSTEM_CLOCK.sleep(HEDGE_MS, signal);
      try {
        const winner = await Promise.race([
          answered.then((value) => ({ value })),
          waited,
          isLast ? never() : failed,
        ]);
        if (winner !== undefined) return winner.value;
      } catch (error) {
        const reasons = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
        const answer = reasons.find(isAnswer);
        if (isLast || answer !== undefined) throw answer ?? worstOf(reasons);
      }
      if (signal.aborted) break;
    }
    throw new EtcdError("unsent", this.#settings.name, "the call was aborted");
  }

  async #ask<T>(index: number, attempt: Attempt<T>, deadline: number, signal: AbortSignal): Promise<T> {
    const member = this.#members[index % this.#members.length] as Member;
    const connectBy = Math.min(deadline, performance.now() + this.#settings.timeoutMs / this.#members.length);
    const answer = await attempt(member, { deadline, connectBy, signal, metadata: new Metadata() });
    this.#preferred = index % this.#members.length;
    return answer;
  }
}

// True if the answer comes from the majority, through one member: another member would give the same answer.
function isAnswer(error: unknown): boolean {
  if (!(error instanceof EtcdError)) return false;
  if (error.outcome === "refused") return /etcdserver: /.test(error.message);
  return error.outcome === "unauthenticated" || DECIDED_ABOVE.has(error.outcome);
}

function worstOf(errors: readonly unknown[]): unknown {
  return errors.find((error) => error instanceof EtcdError && error.outcome === "refused") ?? errors[0];
}

function withToken(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("token", token);
  return metadata;
}

function never(): Promise<never> {
  return new Promise(() => {});
}
