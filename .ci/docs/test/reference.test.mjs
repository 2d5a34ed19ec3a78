import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { test } from "vitest";
import { weakDocstrings } from "../lib/docstrings.mjs";
import { ROOT } from "../lib/pages.mjs";
import { entryPoints, readModel } from "../lib/reference.mjs";

const { app, model } = await readModel();

test("the reference has every name that a public package exports", () => {
  const entries = entryPoints();
  assert.ok(entries.length >= 9);
  for (const { name, types } of entries) {
    const module = model.children.find((child) => child.name === name);
    const documented = new Set(module.children.map((child) => child.name));
    const exported = exportsOf(join(ROOT, types));
    assert.ok(exported.length > 0, `${types} exports nothing: build first`);
    assert.deepEqual(
      exported.filter((each) => !documented.has(each)),
      [],
      `absent from the reference of ${name}`,
    );
  }
});

test("every public docstring stands alone", () => {
  assert.deepEqual(weakDocstrings(model), []);
});

test("links in docstrings lead to names that the reference has", () => {
  app.validate(model);
  assert.equal(app.logger.hasWarnings() || app.logger.hasErrors(), false, "TypeDoc told above which do not");
});

test("docstrings name error codes that there are", () => {
  const errors = readFileSync(join(ROOT, "packages/core/src/errors.ts"), "utf8");
  const known = new Set([...errors.matchAll(/^ *\| "(KAYA_\w+)"/gm)].map(([, code]) => code));
  const named = JSON.stringify(app.serializer.projectToObject(model, ROOT)).match(/KAYA_[A-Z_]+/g);
  assert.deepEqual(
    [...new Set(named)].filter((code) => !known.has(code)),
    [],
  );
});

// Of what the compiler wrote, not of what TypeDoc read.
function exportsOf(file) {
  const program = ts.createProgram([file], { module: ts.ModuleKind.NodeNext, skipLibCheck: true, types: [] });
  const checker = program.getTypeChecker();
  const source = checker.getSymbolAtLocation(program.getSourceFile(file));
  return checker.getExportsOfModule(source).map((symbol) => symbol.name);
}
