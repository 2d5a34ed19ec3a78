// A registry of npm packages on this machine, for the test of a release: `node registry.mjs DIRECTORY` keeps its packages there, knows no other
// registry, prints its address, and ends with its standard input.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runServer } from "verdaccio";

const [directory = "."] = process.argv.slice(2);
const config = join(directory, "verdaccio.yaml");
writeFileSync(
  config,
  JSON.stringify({
    storage: join(directory, "storage"),
    auth: { htpasswd: { file: join(directory, "htpasswd") } },
    packages: { "**": { access: "$all", publish: "$all" } },
    max_body_size: "100mb",
    web: { enable: false },
    log: { type: "stdout", format: "pretty", level: "fatal" },
  }),
);
const server = await runServer(config);
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
process.stdin.on("end", () => process.exit()).resume();
