type Child = Node | string | undefined;

/** An element with these attributes and children. `undefined` stands for nothing. */
export function el<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string | undefined> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  addTo(element, attributes, children);
  return element;
}

/** The same for SVG. */
export function svg(
  name: string,
  attributes: Record<string, string | undefined> = {},
  ...children: readonly Child[]
): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  addTo(element, attributes, children);
  return element;
}

function addTo(
  element: Element,
  attributes: Record<string, string | undefined>,
  children: readonly Child[],
): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined));
}

/** @throws Error where the page has no such element */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

/** What a custom property of the style sheet stands for, in the light or the dark as it is now. */
export function colorOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
