// The home page. Its words are those of the README, so that they stand in one place.

const NEXT = [
  ["Introduction", "/guide/", "Install it, what it guarantees, its limits, how fast it is."],
  ["The store", "/engine/", "Typed views, transactions, expiry, indexes, watching, backups."],
  ["Whole programs", "/examples/job-queue", "A job queue, a session store, a cache, an outbox: to copy."],
  ["Guarantees", "/guide/guarantees", "Each promise, with the tests that hold it."],
  ["Running it", "/guide/operations", "Memory and disk, backups, damage, upgrades, containers."],
  ["Errors", "/guide/errors", "Each code: its cause, what it means, what to do."],
  ["API reference", "/reference/", "Each function, method and option of each package."],
  ["Coming from", "/guide/coming-from", "Beside level, lmdb, SQLite, Deno KV and redis."],
];

/** @param {string} readme the README of the repository */
export function homePage(readme) {
  const paragraph = /^# [^\n]+\n\n(?<text>[^\n].*?)\n\n/s.exec(readme)?.groups?.text;
  const program = /^```ts\n.*?^```$/ms.exec(readme)?.[0];
  if (paragraph === undefined || program === undefined)
    throw new Error(
      "README.md must begin with a heading, a paragraph and a `ts` block: the home page shows them",
    );
  const cards = NEXT.map(
    ([title, link, text]) =>
      `<a class="card" href="${link}"><strong>${title}</strong><span>${text}</span></a>`,
  );
  return `---
layout: home
hero:
  name: Kaya
  text: A key-value store that survives the power cut
  tagline: Embedded, durable, ordered. For Node.js, in TypeScript.
  actions:
    - { theme: brand, text: Get started, link: /guide/ }
    - { theme: alt, text: API reference, link: /reference/ }
---

<div class="kaya-home">

${paragraph}

${program}

\`\`\`sh
npm install @kaya/engine
\`\`\`

## Where to go next

<div class="cards">
${cards.join("\n")}
</div>

</div>
`;
}
