/** Whether no two rows have one key in the unique index. */
export function isUnique(rows: ReadonlyMap<string, { readonly unique?: string }>): boolean {
  const keys = [...rows.values()].flatMap(({ unique }) => unique ?? []);
  return new Set(keys).size === keys.length;
}
