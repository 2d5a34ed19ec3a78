import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./pages.mjs";

const PAGE = "/guide/errors.md";
/** Environment variables begin with KAYA_ too. */
const CODES = new Set(readFileSync(join(ROOT, "docs/errors.md"), "utf8").match(/(?<=^## )KAYA_[A-Z_]+$/gm));
const CODE = /\bKAYA_[A-Z]+(?:_[A-Z]+)*\b/g;

/** A markdown-it plugin: each error code that is no link leads to what the page of errors says about it. */
export function errorCodeLinks(md) {
  md.core.ruler.push("error-codes", ({ tokens, env, Token }) => {
    if (PAGE.endsWith(`/${env.relativePath}`)) return;
    for (const [at, token] of tokens.entries()) {
      if (token.type !== "inline" || tokens[at - 1]?.type === "heading_open") continue;
      token.children = withLinks(token.children, Token);
    }
  });
}

function withLinks(tokens, Token) {
  let depth = 0;
  return tokens.flatMap((token) => {
    if (token.type === "link_open") depth++;
    if (token.type === "link_close") depth--;
    if (depth > 0) return [token];
    if (token.type === "code_inline" && CODES.has(token.content)) return link(token.content, token, Token);
    return token.type === "text" ? linksInText(token, Token) : [token];
  });
}

function linksInText(token, Token) {
  const result = [];
  let from = 0;
  for (const { 0: code, index } of token.content.matchAll(CODE)) {
    if (!CODES.has(code)) continue;
    const inner = new Token("code_inline", "code", 0);
    inner.content = code;
    result.push(textToken(token.content.slice(from, index), Token), ...link(code, inner, Token));
    from = index + code.length;
  }
  return from === 0 ? [token] : [...result, textToken(token.content.slice(from), Token)];
}

function textToken(content, Token) {
  const token = new Token("text", "", 0);
  token.content = content;
  return token;
}

function link(code, inner, Token) {
  const open = new Token("link_open", "a", 1);
  open.attrSet("href", `${PAGE}#${code.toLowerCase()}`);
  return [open, inner, new Token("link_close", "a", -1)];
}
