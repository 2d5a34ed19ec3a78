const MAX_SHOWN = 60;

/** How a wrong value is shown in a message: short, telling a string from a number. It must never throw itself. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(shorten(value));
    case "bigint":
      return `${shorten(value.toString())}n`;
    case "object":
      return value === null ? "null" : describeObject(value);
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    default:
      return String(value);
  }
}

function describeObject(value: object): string {
  try {
    return Array.isArray(value) ? "an array" : describeByMaker(value);
  } catch {
    return "an object that throws when it is looked at"; // a revoked proxy, a getter
  }
}

function describeByMaker(value: object): string {
  // In foreign data `constructor` and `name` can be anything.
  const maker: unknown = value.constructor;
  const name: unknown = typeof maker === "function" ? maker.name : undefined;
  return typeof name === "string" && name !== "" ? `an object (${shorten(name)})` : "an object";
}

function shorten(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 3)}...` : text;
}
