// What is wrong with the docstrings of the reference: each has to stand alone, since nobody reads it beside another.
import { ReflectionKind } from "typedoc";

const FEWEST_WORDS = 3;

/** Words that send the reader somewhere else for what the docstring should say. */
const ELSEWHERE = [
  /^(?:as|like|see|same as|the same as) [`{[]/i,
  /\b(?:rejects?|throws) (?:\w+ )?(?:as|like)\b/i,
  /\bsee (?:above|below)\b/i,
  /^(?:ditto|likewise|as above|of|those|the same)\b/i,
  /\bKayaError as\b/,
];

const DOCUMENTED = ReflectionKind.SomeMember | ReflectionKind.SomeExport;

/**
 * The names that have no docstring that stands alone, as "name: why".
 * @param {import("typedoc").ProjectReflection} model
 */
export function weakDocstrings(model) {
  return model.children.flatMap((module) =>
    module.children.flatMap((child) => weakIn(child, `${module.name} ${child.name}`)),
  );
}

function weakIn(reflection, path) {
  if (reflection.kindOf(ReflectionKind.Reference) || reflection.inheritedFrom !== undefined) return [];
  const own = reflection.kindOf(DOCUMENTED) ? weaknessesOf(reflection).map((why) => `${path}: ${why}`) : [];
  const members = [...(reflection.children ?? []), ...(literalOf(reflection)?.children ?? [])];
  return [...own, ...members.flatMap((child) => weakIn(child, `${path}.${child.name}`))];
}

function literalOf({ type }) {
  return type?.type === "reflection" ? type.declaration : undefined;
}

function weaknessesOf(reflection) {
  if (
    reflection.kindOf(ReflectionKind.Constructor) &&
    (reflection.signatures?.[0]?.parameters ?? []).length === 0
  )
    return [];
  const texts = commentsOf(reflection);
  if (texts.length === 0) return ["has no docstring"];
  const why = [];
  if (texts.every((text) => text.split(/\s+/).length < FEWEST_WORDS))
    why.push(`says next to nothing: "${texts[0]}"`);
  for (const text of texts) {
    const found = ELSEWHERE.map((pattern) => pattern.exec(text)?.[0]).find(Boolean);
    if (found !== undefined) why.push(`refers elsewhere ("${found}"): "${text}"`);
  }
  return why;
}

function commentsOf(reflection) {
  const type = literalOf(reflection);
  const signatures = [
    ...(reflection.signatures ?? []),
    ...(type?.signatures ?? []),
    reflection.getSignature,
    reflection.setSignature,
  ];
  return [reflection.comment, type?.comment, ...signatures.map((signature) => signature?.comment)]
    .map(textOf)
    .filter((text) => text !== "");
}

function textOf(comment) {
  if (comment === undefined) return "";
  const tags = comment.blockTags.filter(({ tag }) => tag === "@throws").map(({ content }) => content);
  return [comment.summary, ...tags]
    .map((parts) =>
      parts
        .map(({ text }) => text)
        .join("")
        .trim(),
    )
    .filter(Boolean)
    .join(" ");
}
