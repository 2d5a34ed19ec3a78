import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { formatBytes, formatCount, plural } from "../../../units.js";
import type { Latency, Look, StoreInfo } from "../../api.js";
import { looks, MOST_LOOKS } from "../model/live.js";
import { storeInfo } from "../model/store.js";
import { Spark } from "../parts/spark.js";

/** The store at this moment, and how it moves. */
export function StorePage(): JSX.Element {
  useEffect(() => {
    document.title = "Store · Kaya studio";
  }, []);
  const look = looks.value.at(-1);
  const info = storeInfo.value;
  if (look === undefined || info === undefined) return <p class="quiet loading">Looking…</p>;
  return (
    <div class="store-page">
      <Headline look={look} />
      {info.warnings.length > 0 && <Warnings warnings={info.warnings} />}
      {info.mode === "reader" && <BesideNote info={info} />}
      <div class="cards">
        <Levels look={look} info={info} />
        <Log look={look} />
        <Memory look={look} info={info} />
        <Latencies look={look} info={info} />
      </div>
    </div>
  );
}

function Card({
  title,
  children,
  note,
}: {
  title: string;
  children: ComponentChildren;
  note?: string;
}): JSX.Element {
  return (
    <section class="panel card" aria-label={title}>
      <h2>{title}</h2>
      {children}
      {note !== undefined && <p class="quiet">{note}</p>}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Headline({ look }: { look: Look }): JSX.Element {
  const tables = look.levels.reduce((sum, level) => sum + level.tables, 0);
  const bytes = look.levels.reduce((sum, level) => sum + level.bytes, 0);
  return (
    <dl class="facts is-large">
      <Fact name="Keys, about">{formatCount(look.entries)}</Fact>
      <Fact name="Last LSN">{formatCount(look.lastLsn)}</Fact>
      <Fact name="Tables">
        {formatCount(tables)} <span class="quiet">{formatBytes(bytes)}</span>
      </Fact>
      <Fact name="Log">
        {formatBytes(look.log.bytes)} <span class="quiet">{plural(look.log.segments, "segment")}</span>
      </Fact>
    </dl>
  );
}

function Warnings({ warnings }: { warnings: readonly string[] }): JSX.Element {
  return (
    <section class="panel warnings" aria-label="Doubts">
      <h2>Doubts of the recovery when the store was opened</h2>
      <ul>
        {warnings.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </section>
  );
}

function BesideNote({ info }: { info: StoreInfo }): JSX.Element {
  return (
    <p class="note">
      {info.writerPid === undefined
        ? "The studio reads the files and changes nothing."
        : `The process ${info.writerPid} has the store open; the studio reads beside it and changes nothing.`}{" "}
      It does not know what only the writer has in memory: the times of its writes and fsyncs, and its cache.
      The memtable, cache and reads below are the studio's own.
    </p>
  );
}

/** One bar a level, by bytes; their figures beside them. */
function Levels({ look, info }: { look: Look; info: StoreInfo }): JSX.Element {
  const { levels, flush, compaction } = look;
  const most = Math.max(1, ...levels.map(({ bytes }) => bytes));
  const isEmpty = levels.every(({ tables }) => tables === 0);
  return (
    <Card title="Levels">
      {isEmpty ? (
        <p class="quiet">There is no table yet: all data is in the log. A flush writes the first table.</p>
      ) : (
        <table class="levels">
          <thead>
            <tr>
              <th scope="col">Level</th>
              <th scope="col" class="level-bar">
                <span class="unseen">Drawn</span>
              </th>
              <th scope="col">Size</th>
              <th scope="col">Tables</th>
              <th scope="col">Entries</th>
            </tr>
          </thead>
          <tbody>
            {levels.map(({ tables, bytes, entries }, level) => (
              <tr key={level} class={tables === 0 ? "quiet" : ""}>
                <th scope="row">L{level}</th>
                <td class="level-bar">
                  <LevelBar share={bytes / most} tables={tables} />
                </td>
                <td>{tables === 0 ? "–" : formatBytes(bytes)}</td>
                <td>{tables === 0 ? "–" : formatCount(tables)}</td>
                <td>{tables === 0 ? "–" : formatCount(entries)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {info.mode === "writer" && (
        <p class="quiet">
          {flush.isRunning ? "A flush is running. " : ""}
          {compaction.isRunning ? "A compaction is running. " : ""}
          {plural(flush.finished, "flush", "flushes")} and {plural(compaction.finished, "compaction")} since
          the studio opened it.
        </p>
      )}
    </Card>
  );
}

/** Tables that can be told apart in a bar. */
const MOST_PARTS = 40;

function LevelBar({ share, tables }: { share: number; tables: number }): JSX.Element {
  const parts = Math.min(tables, MOST_PARTS);
  return (
    <span class="bar" aria-hidden="true">
      <span class="bar-fill" style={{ width: tables === 0 ? "0" : `max(4px, ${share * 100}%)` }}>
        {Array.from({ length: parts }, (_, part) => (
          <span key={part} class="bar-part" />
        ))}
      </span>
    </span>
  );
}

function Log({ look }: { look: Look }): JSX.Element {
  const { log, lastLsn } = look;
  const open = Math.max(0, lastLsn - log.coveredLsn);
  const history = looks.value;
  return (
    <Card title="Log">
      <dl class="facts">
        <Fact name="Segments">{formatCount(log.segments)}</Fact>
        <Fact name="Size">{formatBytes(log.bytes)}</Fact>
        <Fact name="In tables up to LSN">{formatCount(log.coveredLsn)}</Fact>
        <Fact name="Only in the log">{plural(open, "record")}</Fact>
      </dl>
      <div class="sparks">
        <Spark
          title="Records a second"
          series={[{ name: "", values: history.map((each) => each.log.recordsPerSecond) }]}
          format={(value) => formatCount(Math.round(value))}
          width={MOST_LOOKS}
        />
        <Spark
          title="Bytes a second"
          series={[{ name: "", values: history.map((each) => each.log.bytesPerSecond) }]}
          format={(value) => formatBytes(Math.round(value))}
          width={MOST_LOOKS}
          isBytes
        />
      </div>
    </Card>
  );
}

function Memory({ look, info }: { look: Look; info: StoreInfo }): JSX.Element {
  const { memtable, cache } = look;
  const history = looks.value;
  const whose = info.mode === "reader" ? "The studio's own, not the writer's." : undefined;
  return (
    <Card title="Memtable and cache" {...(whose !== undefined && { note: whose })}>
      <Meter
        name="Memtable"
        value={memtable.bytes}
        most={memtable.limitBytes}
        text={`${formatBytes(memtable.bytes)} of ${formatBytes(memtable.limitBytes)}, ${plural(memtable.entries, "entry", "entries")}`}
      />
      <Meter
        name="Block cache"
        value={cache.bytes}
        most={cache.capacityBytes}
        text={`${formatBytes(cache.bytes)} of ${formatBytes(cache.capacityBytes)}`}
      />
      <div class="sparks">
        <Spark
          title="Cache hits"
          series={[{ name: "", values: history.map((each, at) => hitRate(history[at - 1], each)) }]}
          format={(value) => `${Math.round(value)}%`}
          width={MOST_LOOKS}
          most={100}
        />
      </div>
      <p class="quiet">
        {plural(cache.hits, "hit")} and {plural(cache.misses, "miss", "misses")} since the studio opened it.
      </p>
    </Card>
  );
}

/** Of what was asked for between two looks; not known where nothing was. */
function hitRate(before: Look | undefined, { cache }: Look): number | undefined {
  const hits = cache.hits - (before?.cache.hits ?? 0);
  const misses = cache.misses - (before?.cache.misses ?? 0);
  return before === undefined || hits < 0 || hits + misses <= 0 ? undefined : (hits / (hits + misses)) * 100;
}

function Meter({
  name,
  value,
  most,
  text,
}: {
  name: string;
  value: number;
  most: number;
  text: string;
}): JSX.Element {
  const share = most <= 0 ? 0 : Math.min(1, value / most);
  return (
    <div class="meter">
      <span class="meter-head">
        <span>{name}</span>
        <span class="quiet">{text}</span>
      </span>
      <span class="bar" aria-hidden="true">
        <span class="bar-fill" style={{ width: `${share * 100}%` }} />
      </span>
    </div>
  );
}

const KINDS = [
  { kind: "get", name: "Reads" },
  { kind: "write", name: "Writes" },
  { kind: "fsync", name: "Fsyncs" },
] as const;

function Latencies({ look: { latency }, info }: { look: Look; info: StoreInfo }): JSX.Element {
  const history = looks.value;
  const known = KINDS.filter(({ kind }) => latency[kind] !== undefined);
  return (
    <Card title="Latencies">
      {known.length === 0 ? (
        <p class="quiet">Nothing was measured yet.</p>
      ) : (
        <>
          <table class="latencies">
            <thead>
              <tr>
                <th scope="col">
                  <span class="unseen">Kind</span>
                </th>
                <th scope="col">Count</th>
                <th scope="col">Mean</th>
                <th scope="col">p50</th>
                <th scope="col">p99</th>
                <th scope="col">Max</th>
              </tr>
            </thead>
            <tbody>
              {known.map(({ kind, name }) => (
                <LatencyRow key={kind} name={name} latency={latency[kind]} />
              ))}
            </tbody>
          </table>
          <div class="sparks">
            {known.map(({ kind, name }) => (
              <Spark
                key={kind}
                title={name}
                series={[
                  { name: "p50", values: history.map((each) => each.latency[kind]?.p50) },
                  { name: "p99", values: history.map((each) => each.latency[kind]?.p99) },
                ]}
                format={milliseconds}
                width={MOST_LOOKS}
              />
            ))}
          </div>
        </>
      )}
      {info.mode === "reader" && <p class="quiet">Only the writer measures its writes and fsyncs.</p>}
    </Card>
  );
}

function LatencyRow({ name, latency }: { name: string; latency: Latency | undefined }): JSX.Element | null {
  if (latency === undefined) return null;
  const { count, mean, p50, p99, max } = latency;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{formatCount(count)}</td>
      {[mean, p50, p99, max].map((ms, at) => (
        <td key={at}>{milliseconds(ms)}</td>
      ))}
    </tr>
  );
}

function milliseconds(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  return ms < 100 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}
