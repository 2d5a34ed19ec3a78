import type { Engine } from "@kaya/engine";

/** The node that a view belongs to: its engine, and its writes. */
export interface ViewHost {
  /** The current engine of the node. It is replaced when the node loads a base. */
  readonly engine: Engine;
  /** Runs a write. It waits while the node is becoming the writer. */
  write<T>(run: (engine: Engine) => Promise<T>): Promise<T>;
}

type AnyView = object & { readonly [Method in string]?: unknown };
type MakeView = (engine: Engine) => AnyView;

const WRITES: ReadonlySet<PropertyKey> = new Set(["put", "delete", "batch", "update", "clear", "dropIndex"]);

/**
 * The views of a node. A view of an engine belongs to that one engine, but a node gets a new engine when it loads a base. So each view of a
 * node forwards its calls to a view of the node's current engine.
 */
export class ClusterViews {
  readonly #host: ViewHost;
  /** The views that declare indexes, by their declaration. A new engine must know the indexes before it writes rows. */
  readonly #declaring = new Map<string, MakeView>();

  constructor(host: ViewHost) {
    this.#host = host;
  }

  /** @param make makes the view of an engine; it throws immediately for wrong options */
  make<T extends object>(options: unknown, make: (engine: Engine) => T): T {
    const key = declarationKey(options);
    if (key !== undefined) this.#declaring.set(key, make as unknown as MakeView);
    return this.#standIn(make as unknown as MakeView) as unknown as T;
  }

  /** Declares the indexes of all views in a new engine. */
  declareIn(engine: Engine): void {
    for (const make of this.#declaring.values()) make(engine);
  }

  #standIn(make: MakeView): AnyView {
    let engine = this.#host.engine;
    let view = make(engine);
    const now = (): AnyView => {
      if (engine !== this.#host.engine) {
        engine = this.#host.engine;
        view = make(engine);
      }
      return view;
    };
    return new Proxy(view, { get: (_, name) => this.#member(now, name) });
  }

  #member(now: () => AnyView, name: string | symbol): unknown {
    const view = now();
    const member: unknown = Reflect.get(view, name, view);
    if (typeof member !== "function" || name === "constructor") return member;
    if (name === "view") return (options: unknown) => this.#inner(now, options);
    const call = (on: AnyView, given: unknown[]): unknown => Reflect.apply(member, on, given);
    if (!WRITES.has(name)) return (...given: unknown[]) => call(view, given);
    return (...given: unknown[]) =>
      this.#host.write(() =>
        (Reflect.get(now(), name) as (...given: unknown[]) => Promise<unknown>).apply(now(), given),
      );
  }

  #inner(now: () => AnyView, options: unknown): AnyView {
    const outer = now;
    return this.#standIn(() => (outer().view as (options: unknown) => AnyView).call(outer(), options));
  }
}

/** The text of a view's index declaration; undefined for a view without indexes. */
function declarationKey(options: unknown): string | undefined {
  if (typeof options !== "object" || options === null) return undefined;
  const { prefix, indexes } = options as { readonly prefix?: unknown; readonly indexes?: object };
  if (indexes === undefined) return undefined;
  const name = typeof prefix === "string" ? Buffer.from(prefix) : prefix;
  const shown = ArrayBuffer.isView(name)
    ? Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("hex")
    : "";
  return `${shown} ${Object.keys(indexes).join(" ")}`;
}
