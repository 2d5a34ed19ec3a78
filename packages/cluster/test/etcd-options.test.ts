import { expect, it } from "vitest";
import { checkEtcdOptions } from "../src/etcd/options.js";
import { type EtcdLogOptions, etcdLog } from "../src/index.js";

const ENDPOINTS = ["http://127.0.0.1:2379"];

// An ignored option could mean a log without a password, or a log that compacts history that other programs need.
it.each([
  ["a misspelt option", { endpoints: ENDPOINTS, prefix: "/orders", compaction: false }, /compaction/],
  ["a misspelt user", { endpoints: ENDPOINTS, prefix: "/orders", user: "ada", password: "x" }, /user/],
  [
    "a misspelt part of tls",
    { endpoints: ["https://127.0.0.1:2379"], prefix: "/orders", tls: { cacert: "x" } },
    /cacert/,
  ],
  ["one string instead of endpoints", { endpoints: ENDPOINTS[0], prefix: "/orders" }, /endpoints/],
  ["no options", undefined, /endpoints/],
  ["a prefix of two lines", { endpoints: ENDPOINTS, prefix: "/orders\n/users" }, /prefix/],
  [
    "an object as a time",
    { endpoints: ENDPOINTS, prefix: "/o", requestTimeoutMs: Object.create(null) },
    /requestTimeoutMs/,
  ],
])("etcdLog refuses %s", (_, options, message) => {
  expect(() => etcdLog(options as unknown as EtcdLogOptions)).toThrowError(
    expect.objectContaining({ code: "KAYA_INVALID_ARGUMENT", message: expect.stringMatching(message) }),
  );
});

it.each([
  ["http://etcd-1", "etcd-1:2379"],
  ["http://etcd-1/", "etcd-1:2379"],
  ["https://etcd-1", "etcd-1:2379"],
  ["http://etcd-1:80", "etcd-1:80"],
  ["https://etcd-1:443/", "etcd-1:443"],
  ["https://etcd-1:4001", "etcd-1:4001"],
  ["http://[::1]", "[::1]:2379"],
  ["http://[::1]:80", "[::1]:80"],
])("the endpoint %s is %s", (endpoint, address) => {
  const settings = checkEtcdOptions({ endpoints: [endpoint], prefix: "/orders" });
  expect(settings).toMatchObject({ addresses: [address], name: `etcd ${address} /orders` });
});
