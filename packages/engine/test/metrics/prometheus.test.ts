import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { SimDisk } from "@kaya/io";
import { afterEach, describe, expect, it } from "vitest";
import { Engine } from "../../src/index.js";
import { METRIC_ROWS } from "../../src/metrics/metric-rows.js";
import {
  type MetricRow,
  metricsHandler,
  metricsResponse,
  prometheusText,
  type ServedStores,
} from "../../src/metrics/prometheus.js";
import { prometheusName } from "../../src/metrics/prometheus-text.js";
import { parse, valueIn } from "./parsed.js";

const engines: Engine[] = [];
const open = async () => {
  const engine = await Engine.open({ tables: { autoFlush: false } }, new SimDisk());
  engines.push(engine);
  return engine;
};

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
});

/** One with a table, a record in the log behind it, and one of all that is counted. */
async function worked(): Promise<Engine> {
  const engine = await open();
  await Promise.all(Array.from({ length: 6 }, (_, i) => engine.put(`${i}`, "x")));
  for (let i = 0; i < 3; i++) await engine.put("relaxed", `${i}`, { durability: "relaxed" });
  await engine.flush();
  await engine.put("last", "x");
  return engine;
}

describe("the text for Prometheus", () => {
  it("is read by another program's parser, with the numbers of stats()", async () => {
    const engine = await worked();
    const stats = engine.stats();
    const families = parse(prometheusText({ main: engine }));
    const store = "main";
    expect(valueIn(families, "kaya_up", { store })).toBe(1);
    expect(valueIn(families, "kaya_wal_appends_total", { store, durability: "strict" })).toBe(7);
    expect(valueIn(families, "kaya_wal_appends_total", { store, durability: "relaxed" })).toBe(3);
    expect(valueIn(families, "kaya_wal_last_lsn")).toBe(10);
    expect(valueIn(families, "kaya_wal_size_bytes")).toBe(stats.wal.bytes);
    expect(valueIn(families, "kaya_table_size_bytes", { level: "0" })).toBe(stats.tables.bytes);
    expect(valueIn(families, "kaya_flushes_total", { outcome: "finished" })).toBe(1);
    expect(valueIn(families, "kaya_start_time_seconds")).toBeCloseTo(stats.wal.since / 1000, 3);
    expect(families.get("kaya_wal_appends_total")?.type).toBe("COUNTER");
    expect(families.get("kaya_wal_size_bytes")?.type).toBe("GAUGE");
    for (const [name, { help, metrics }] of families) {
      expect(help, name).toMatch(/\w/);
      for (const { value = "0" } of metrics) expect(Number.isFinite(Number(value)), name).toBe(true);
    }
  });

  it("has a histogram that adds up", async () => {
    const engine = await worked();
    const { commits, fsyncs } = engine.stats().wal;
    const text = prometheusText({ main: engine });
    const families = parse(text);
    expect(valueIn(families, "kaya_wal_commits_total")).toBe(commits.count);
    expect(valueIn(families, "kaya_wal_written_bytes_total")).toBeCloseTo(commits.count * commits.bytes.mean);
    const [fsync] = families.get("kaya_wal_fsync_duration_seconds")?.metrics ?? [];
    expect(families.get("kaya_wal_fsync_duration_seconds")?.type).toBe("HISTOGRAM");
    const counts = Object.values(fsync?.buckets ?? {}).map(Number);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(fsync?.buckets?.["+Inf"]).toBe(`${fsyncs.count}`);
    // The parser leaves out what a histogram with labels sums up to.
    const name = 'kaya_wal_fsync_duration_seconds_count{store="main"}';
    expect(text).toContain(`${name} ${fsyncs.count}\n`);
    expect(text).toMatch(/kaya_wal_fsync_duration_seconds_sum\{store="main"\} [0-9.e-]+\n/);
    expect(Object.keys(fsync?.buckets ?? {})).toContain("0.001024");
  });

  it("has every metric of the table, under a name that belongs to its kind and unit", async () => {
    const families = parse(prometheusText({ main: (await worked()).stats(), outside: { isInUse: true } }));
    // What only some stores have.
    for (const row of METRIC_ROWS) expect(families.has(prometheusName(row)), row.name).toBe(true);
    expect(families.size).toBe(METRIC_ROWS.length);
    for (const row of METRIC_ROWS) {
      const name = prometheusName(row);
      expect(name.endsWith("_total"), name).toBe(row.kind === "counter");
      expect(/_bytes(_total)?$/.test(name), name).toBe(row.unit === "By");
      expect(/_seconds(_total)?$/.test(name), name).toBe(row.unit === "s");
    }
  });

  it("leaves out what statistics do not have", () => {
    const text = prometheusText({ files: { lastLsn: 5, wal: { segments: 2 }, isInUse: false } });
    expect(text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))).toEqual([
      'kaya_in_use{store="files"} 0',
      'kaya_wal_last_lsn{store="files"} 5',
      'kaya_wal_segments{store="files"} 2',
    ]);
  });

  it("says of a closed store only that it is closed", async () => {
    const engine = await worked();
    await engine.close();
    expect(prometheusText({ main: engine }).split("\n").slice(2)).toEqual(['kaya_up{store="main"} 0', ""]);
  });

  it("escapes the name of a store, and names it by its directory where none is given", async () => {
    const engine = await open();
    const name = 'C:\\data "of"\nAda';
    const families = parse(prometheusText({ [name]: engine, other: engine }));
    expect(families.get("kaya_up")?.metrics.map(({ labels }) => labels?.store)).toEqual([name, "other"]);
    expect(prometheusText(engine)).toContain('kaya_up{store="memory"} 1');
    const source = { dataDir: "/srv/app", stats: () => engine.stats() };
    expect(prometheusText(source)).toContain('kaya_up{store="/srv/app"} 1');
  });

  it("has metrics that only some stores have, behind the others and once", async () => {
    const engine = await open();
    const role: MetricRow = {
      name: "kaya.test.role",
      kind: "gauge",
      unit: "{store}",
      help: "A metric of its own",
      read: ({ lastLsn }) => lastLsn,
    };
    await engine.put("a", "1");
    const source = { dataDir: "/srv/node", stats: () => engine.stats(), metrics: [role] };
    const expected = ["# HELP kaya_test_role A metric of its own", "# TYPE kaya_test_role gauge"];
    const text = prometheusText({ a: source, b: source });
    expect(text.split("\n").slice(-5)).toEqual([
      ...expected,
      'kaya_test_role{store="a"} 1',
      'kaya_test_role{store="b"} 1',
      "",
    ]);
    expect(prometheusText(source)).toContain('kaya_test_role{store="/srv/node"} 1');
    expect(prometheusText({ engine })).not.toContain("kaya_test_role");
  });

  it("refuses what is no store", () => {
    const refuse = (stores: unknown) => () => prometheusText(stores as Engine);
    expect(refuse(undefined)).toThrow(/the stores of metrics must be an engine/);
    expect(refuse({ main: "engine" })).toThrow(/the store "main" must be an engine/);
  });

  it("has each family once, whole, with its unit, in OpenMetrics", async () => {
    const engine = await worked();
    const lines = prometheusText({ a: engine, b: engine }, "openmetrics").split("\n");
    expect(lines.slice(-2)).toEqual(["# EOF", ""]);
    const families = lines.filter((line) => line.startsWith("# TYPE")).map((line) => line.split(" ")[2]);
    expect(new Set(families).size).toBe(families.length);
    expect(families).toContain("kaya_wal_appends");
    expect(lines).toContain("# UNIT kaya_flush_written_bytes bytes");
    let family = "";
    for (const line of lines.slice(0, -2)) {
      if (line.startsWith("# TYPE")) family = line.split(" ")[2] ?? "";
      expect(line.replace(/^# \w+ /, "").startsWith(family), line).toBe(true);
    }
  });
});

describe("a handler of /metrics", () => {
  /** Serves them, and gives what a request is answered with. */
  async function serve(stores: ServedStores, ask: (url: string) => Promise<void>): Promise<void> {
    const server = createServer(metricsHandler(stores)).listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      await ask(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  }

  it("answers with the text, and with OpenMetrics to a scraper that prefers it", async () => {
    const engine = await worked();
    await serve({ main: engine }, async (url) => {
      const plain = await fetch(url);
      expect(plain.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      expect(valueIn(parse(await plain.text()), "kaya_wal_last_lsn")).toBe(10);
      const accept =
        "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
      const open = await fetch(url, { headers: { accept } });
      expect(open.headers.get("content-type")).toBe(
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
      );
      expect(await open.text()).toMatch(/# EOF\n$/);
      for (const other of [
        "text/plain, application/openmetrics-text;q=0.9",
        "application/openmetrics-text;version=2.0.0",
      ]) {
        const answer = await fetch(url, { headers: { accept: other } });
        expect(answer.headers.get("content-type"), other).toMatch(/^text\/plain/);
        await answer.text();
      }
    });
  });

  it("answers HEAD, refuses other methods, and does not end the server where the stores cannot be asked", async () => {
    let fails = false;
    const engine = await open();
    const stores = () => {
      if (fails) throw new Error("no store yet");
      return { main: engine };
    };
    await serve(stores, async (url) => {
      expect(await (await fetch(url, { method: "HEAD" })).text()).toBe("");
      const post = await fetch(url, { method: "POST" });
      expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
      await post.text();
      fails = true;
      const failed = await fetch(url);
      expect([failed.status, await failed.text()]).toEqual([500, "no metrics: no store yet\n"]);
      fails = false;
      expect((await fetch(url)).status).toBe(200);
    });
  });

  it("has a twin for servers with the Request and Response of fetch", async () => {
    const engine = await worked();
    const response = metricsResponse({ main: engine }, new Request("http://x/metrics"));
    expect(response.headers.get("content-type")).toMatch(/version=0\.0\.4/);
    expect(await response.text()).toBe(prometheusText({ main: engine }));
    const head = metricsResponse(engine, new Request("http://x/metrics", { method: "HEAD" }));
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(metricsResponse(engine).status).toBe(200);
  });
});
