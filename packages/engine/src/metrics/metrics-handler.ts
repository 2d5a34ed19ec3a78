import { type MetricsFormat, prometheusText } from "./prometheus-text.js";
import type { MetricStores } from "./stores.js";

const CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** As much of Node's request as is read. */
export interface MetricsRequest {
  /** The HTTP method of the request. */
  readonly method?: string | undefined;
  /** The headers of the request, as far as they are read. */
  readonly headers: {
    /** The media types that the client takes: it chooses the format of the answer. */
    readonly accept?: string | undefined;
  };
}

/** As much of Node's response as is used. */
export interface MetricsServerResponse {
  /** The HTTP status of the response. */
  statusCode: number;
  /** Sets a header of the response. */
  setHeader(name: string, value: string): unknown;
  /** Sends the response with this body. */
  end(body: string): unknown;
}

/** The stores whose metrics are served; a function if stores come and go. */
export type ServedStores = MetricStores | (() => MetricStores);

/**
 * Answers a scrape of Prometheus: for `node:http` and Express as it is, for Fastify with `reply.hijack()` and `reply.raw`. It gives the text format
 * 0.0.4, or OpenMetrics 1.0 to those who ask for it (`Accept`). It answers any path, GET and HEAD only; where the stores cannot be asked it answers 500
 * with the reason.
 */
export function metricsHandler(
  stores: ServedStores,
): (request: MetricsRequest, response: MetricsServerResponse) => void {
  return (request, response) => {
    const { status, headers, body } = answer(stores, request.method, request.headers.accept);
    response.statusCode = status;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(body);
  };
}

/** The metrics as a response of `fetch`, for servers that have its `Request` and `Response`. */
export function metricsResponse(stores: ServedStores, request?: Request): Response {
  const { status, headers, body } = answer(
    stores,
    request?.method,
    request?.headers.get("accept") ?? undefined,
  );
  return new Response(request?.method === "HEAD" ? null : body, { status, headers });
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function answer(stores: ServedStores, method = "GET", accept = ""): Answer {
  const text = { "content-type": "text/plain; charset=utf-8" };
  if (method !== "GET" && method !== "HEAD")
    return {
      status: 405,
      headers: { ...text, allow: "GET, HEAD" },
      body: `metrics are read with GET, not ${method}\n`,
    };
  const format = formatFor(accept);
  try {
    const body = prometheusText(typeof stores === "function" ? stores() : stores, format);
    return { status: 200, headers: { "content-type": CONTENT_TYPES[format] }, body };
  } catch (error) {
    // A server would end with it. A scrape that fails is seen: `up` is 0.
    return { status: 500, headers: text, body: `no metrics: ${(error as Error).message}\n` };
  }
}

/** OpenMetrics where it is wanted as much as plain text, in the version that is made here. */
function formatFor(accept: string): MetricsFormat {
  const offers = accept.split(",").map((offer) => {
    const [type = "", ...parameters] = offer.split(";").map((part) => part.trim().toLowerCase());
    const parameter = (name: string) =>
      parameters.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
    return { type, version: parameter("version"), quality: Number(parameter("q") ?? 1) };
  });
  const quality = (wanted: string, version: string) =>
    Math.max(
      0,
      ...offers
        .filter((offer) => offer.type === wanted && (offer.version ?? version) === version)
        .map((offer) => offer.quality),
    );
  const openMetrics = quality("application/openmetrics-text", "1.0.0");
  return openMetrics > 0 && openMetrics >= quality("text/plain", "0.0.4") ? "openmetrics" : "prometheus";
}
