import { MemberRouter } from "typedoc-plugin-markdown";

/** Puts each exported name of `@kaya/engine` at `engine/NAME`, and the package's overview at `engine/`. */
export class PackageRouter extends MemberRouter {
  getIdealBaseName(reflection) {
    if (reflection.parent === undefined || reflection.parent.isProject())
      return `${folderOf(reflection.name)}/index`;
    return `${folderOf(reflection.parent.name)}/${reflection.name}`;
  }
}

function folderOf(packageName) {
  return packageName.replace(/^@kaya\//, "").replaceAll("/", "-");
}
