import { readFileSync } from "node:fs";

const GROUPS = [
  ["Classes", ["Classes"]],
  ["Functions", ["Functions"]],
  ["Constants", ["Variables"]],
  ["Types", ["Interfaces", "Type Aliases", "Enumerations"]],
];

/**
 * What TypeDoc writes of its pages, as sidebars by path: in a package its own names, and a way to the other packages.
 * (All names on every page would make a hundred megabytes of site.)
 */
export function referenceSidebars(file) {
  const packages = JSON.parse(readFileSync(file, "utf8"));
  const overview = packages.map(({ title, path }) => ({ text: title, link: linkOf(path) }));
  const ofPackages = packages.map(({ title, path, children = [] }) => [
    linkOf(path),
    [
      { text: title, link: linkOf(path) },
      ...GROUPS.map(([text, kinds]) => ({ text, collapsed: false, items: itemsOf(children, kinds) })),
      { text: "Other packages", collapsed: false, items: overview.filter(({ text }) => text !== title) },
    ].filter(({ items }) => items?.length !== 0),
  ]);
  return Object.fromEntries([...ofPackages, ["/reference/", [{ text: "Packages", items: overview }]]]);
}

function itemsOf(groups, kinds) {
  const members = groups.filter(({ title }) => kinds.includes(title)).flatMap(({ children }) => children);
  return members
    .map(({ title, path }) => ({ text: title.replace(/<.*$|\\<.*$/, ""), link: linkOf(path) }))
    .sort((a, b) => (a.text.toLowerCase() < b.text.toLowerCase() ? -1 : 1));
}

function linkOf(path) {
  return `/reference/${path.replace(/(?:index)?\.md$/, "")}`;
}
