import { Level } from "level";

// A program as users of `level` write them. It says what it sees; the test runs it over `level` and over KayaLevel.
const say = (...what) => console.log(JSON.stringify(what));

const db = new Level("./database", {
  valueEncoding: "json",
  cacheSize: 16 * 1024 * 1024,
  compression: false,
});
db.on("write", (operations) => say("write", operations.map(({ type, key }) => `${type} ${key}`).slice(0, 3)));
say(db.status, db.location);

await db.put("user:1", { name: "Ada", born: 1815 });
await db.put("user:2", { name: "Grace", born: 1906 }, { sync: true });
say(await db.get("user:1"), await db.get("user:9"), db.getSync("user:2"), await db.has("user:2"));
say(await db.getMany(["user:2", "nobody", "user:1"]), await db.hasMany(["user:1", "nobody"]));

await db.batch([
  { type: "put", key: "user:3", value: { name: "Barbara", born: 1939 } },
  { type: "del", key: "user:1" },
  { type: "put", key: "bytes", value: Buffer.from([0xff, 0x00, 0x80]), valueEncoding: "buffer" },
]);
await db.batch([]);
await db.batch().put("user:4", { name: "Edsger" }).del("user:4").put("user:5", { name: "Leslie" }).write();
say(
  [...(await db.get("bytes", { valueEncoding: "buffer" }))],
  await db.get("user:3", { valueEncoding: "utf8" }),
);

const visits = db.sublevel("visits", { valueEncoding: "utf8" });
for (let i = 0; i < 2500; i += 500) {
  const operations = Array.from({ length: 500 }, (_, j) => {
    const key = `${i + j}`.padStart(5, "0");
    return { type: "put", sublevel: visits, key, value: `visit ${key} – ☃ ${"\u{1f600}"}` };
  });
  await db.batch(operations, { sync: false });
}
let count = 0;
let length = 0;
for await (const [key, value] of visits.iterator()) {
  count++;
  length += key.length + value.length;
}
say("visits", count, length);
say(await visits.keys({ gt: "00100", lte: "00103" }).all());
say(await visits.values({ lt: "00010", reverse: true, limit: 2 }).all());
say(await visits.iterator({ gte: "02498" }).all());

const iterator = visits.keys({ lt: "02000" });
say(await iterator.nextv(3), await iterator.next());
iterator.seek("01998");
say(await iterator.next(), await iterator.nextv(10), await iterator.next());
iterator.seek("02100");
say("outside", await iterator.next(), iterator.count);
await iterator.close();

const snapshot = db.snapshot();
await db.put("user:6", { name: "Radia" });
await visits.clear({ gte: "00010", snapshot });
await visits.put("00000", "again");
say(
  await db.get("user:6", { snapshot }),
  await db.keys({ gt: "user:", snapshot }).all(),
  await visits.keys().all(),
);
await snapshot.close();
await db.clear({ gte: "user:3", limit: 1 });

for (const attempt of [
  () => db.put(null, "x"),
  () => db.put("x", undefined),
  () => db.get("x", { valueEncoding: "no such encoding" }),
  () => db.get("x", { snapshot }),
  () => iterator.next(),
  () => visits.batch([{ type: "what", key: "x" }]),
]) {
  await attempt().catch(({ name, code }) => say(name, code));
}

await db.close();
await db.get("user:2").catch(({ code }) => say(code));
await new Level("./elsewhere", { createIfMissing: false }).open().catch(({ code }) => say(code));
await new Level("./database", { errorIfExists: true }).open().catch(({ code }) => say(code));

const reopened = new Level("./database", { valueEncoding: "json" });
await reopened.open();
await new Level("./database").open().catch(({ code, cause }) => say(code, cause.code));
say(await reopened.keys({ gt: "user" }).all(), await reopened.keys({ reverse: true }).all());
say(await reopened.values({ gte: "user:", lt: "user;" }).all());
await reopened.close();
