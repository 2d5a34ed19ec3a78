import { MarkdownTheme, MarkdownThemeContext } from "typedoc-plugin-markdown";

/**
 * The pages of typedoc-plugin-markdown, with fewer headings: one line says what a name extends and where a member comes
 * from, an accessor is shown as a property, and a return type that the signature shows already is not repeated.
 */
export class ReferenceTheme extends MarkdownTheme {
  getRenderContext(page) {
    const context = new MarkdownThemeContext(this, page, this.application.options);
    const { signatureReturns } = context.partials;
    context.partials.hierarchy = (model) => hierarchyLine(context, model);
    context.partials.inheritance = (model) => inheritanceLine(context, model);
    context.partials.accessor = (model) => accessor(context, model);
    context.partials.signatureReturns = (model, options) =>
      model.comment?.getTag("@returns") === undefined ? "" : signatureReturns(model, options);
    return context;
  }
}

function hierarchyLine({ helpers }, hierarchy) {
  const lines = [];
  for (let at = hierarchy; at?.next !== undefined; at = at.next) {
    const types = (at.isTarget ? at.next : at).types.map((type) => helpers.getHierarchyType(type, {}));
    lines.push(`${at.isTarget ? "Extended by" : "Extends"} ${types.join(", ")}.`);
  }
  return lines.join("\n\n");
}

function inheritanceLine({ partials }, { inheritedFrom, overwrites }) {
  if (inheritedFrom !== undefined) return `From ${partials.typeAndParent(inheritedFrom)}.`;
  return overwrites === undefined ? "" : `Overrides ${partials.typeAndParent(overwrites)}.`;
}

function accessor({ partials }, model) {
  const signatures = [
    ["get", model.getSignature],
    ["set", model.setSignature],
  ].filter(([, signature]) => signature !== undefined);
  const comment = model.comment ?? signatures.map(([, { comment }]) => comment).find(Boolean);
  return [
    ...signatures.map(([kind, signature]) => partials.signatureTitle(signature, { accessor: kind })),
    comment === undefined ? "" : partials.comment(comment, { headingLevel: 4 }),
    partials.inheritance(model),
  ].join("\n\n");
}
