// The kernel lock between each two runtimes: one holds it, the others are refused, and get it once the holder was killed.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";

const TRY_LOCK = new URL("try-lock.mjs", import.meta.url).pathname;

/** Holds the lock in a process of its own. */
async function hold([binary, ...flags], directory) {
  const child = spawn(binary, [...flags, TRY_LOCK, directory, "hold"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  const [said] = await Promise.race([once(child.stdout, "data"), exit]);
  return { child, exit, said: String(said).trim() };
}

/** What an attempt in a process of its own says: "locked", or the code of the error, and the pid that its message names. */
function attempt([binary, ...flags], directory) {
  return new Promise((resolve) => {
    execFile(binary, [...flags, TRY_LOCK, directory], { timeout: 60_000 }, (error, stdout, stderr) =>
      resolve(error === null ? stdout.trim() : `${error.message}\n${stderr}`),
    );
  });
}

/**
 * @param {string[][]} commands of the runtimes
 * @returns {Promise<{ line: string, failed: boolean }>}
 */
export async function checkLocks(commands, work) {
  const wrong = [];
  for (const [at, holder] of commands.entries()) {
    const directory = join(work, `${at}`);
    mkdirSync(directory, { recursive: true });
    const { child, exit, said } = await hold(holder, directory);
    const expect = (wanted, answer, who) => {
      if (answer !== wanted)
        wrong.push(`${basename(who[0])} after ${holder[0]}: ${answer} instead of ${wanted}`);
    };
    try {
      expect("locked", said, holder);
      const refused = `KAYA_LOCK_CONFLICT by ${child.pid}`;
      await Promise.all(
        commands.map(async (other) => expect(refused, await attempt(other, directory), other)),
      );
    } finally {
      child.kill("SIGKILL");
      await exit;
    }
    const next = commands[(at + 1) % commands.length];
    expect("locked", await attempt(next, directory), next);
  }
  if (wrong.length > 0) return { line: `lock              FAILED: ${wrong.join("\n")}`, failed: true };
  return {
    line: `lock              ok  ${commands.length} runtimes, each refused by each, and freed by kill -9`,
    failed: false,
  };
}
