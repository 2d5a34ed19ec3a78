/** The anchor of a heading, as GitHub makes it: a link works on both. A second heading of the same name gets a number. */
export function headingSlug(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-");
}
