import { parseAst } from "vitest/node";

/**
 * What a TypeScript source asks for by name: every specifier of a static, dynamic or type import, a re-export, a
 * `require` or a `resolve`, with its line. A specifier that is computed is not seen.
 * @param {string} text
 * @param {"ts" | "tsx"} lang
 * @returns {{ imports: { specifier: string, line: number }[], ownCode: number[] }} `ownCode` has the lines of the
 *   top-level statements that are not re-exports.
 * @throws where the source does not parse; `error.loc.line` says where.
 */
export function readSource(text, lang = "ts") {
  const program = parseAst(text, { lang });
  const lineOf = (node) => text.slice(0, node.start).split("\n").length;
  const imports = [];
  walk(program, (node) => {
    const specifier = literal(specifierNode(node));
    if (specifier !== undefined) imports.push({ specifier, line: lineOf(node) });
  });
  return { imports, ownCode: program.body.filter((node) => !isReexport(node)).map(lineOf) };
}

function walk(node, visit) {
  visit(node);
  for (const child of Object.values(node).flat()) {
    if (typeof child?.type === "string") walk(child, visit);
  }
}

function specifierNode(node) {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return node.source;
    case "TSExternalModuleReference":
      return node.expression;
    case "CallExpression":
      return isRequire(node.callee) ? node.arguments[0] : undefined;
    default:
      return undefined;
  }
}

// require(…), createRequire(…)(…), require.resolve(…), import.meta.resolve(…)
function isRequire(callee) {
  if (callee.type === "Identifier") return callee.name === "require";
  if (callee.type === "CallExpression") return callee.callee.name === "createRequire";
  if (callee.type !== "MemberExpression" || callee.property.name !== "resolve") return false;
  return callee.object.type === "MetaProperty" || isRequire(callee.object);
}

function literal(node) {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral" && node.quasis.length === 1) return node.quasis[0].value.cooked;
  return undefined;
}

function isReexport(node) {
  if (node.type === "ExportAllDeclaration") return true;
  if (node.type !== "ExportNamedDeclaration" || node.declaration) return false;
  return node.source !== null || node.specifiers.length === 0;
}
