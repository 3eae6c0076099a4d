// Short ways to find, make and change nodes of the document.

export const $ = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

/** A copy of what is in the <template> of index.html. */
export function fromTemplate(id) {
  return $(id).content.firstElementChild.cloneNode(true);
}

/** A symbol of the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Writes only what has changed: a page with 200 cards costs as much as its changes. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Puts the node where it is to be among its siblings, and touches nothing if it is there. */
export function place(parent, node, index) {
  const there = parent.children[index];
  if (there !== node) parent.insertBefore(node, there ?? null);
}

/** Fills a bar up to a share of 0 to 1. */
export function fill(bar, share) {
  bar.style.transform = `scaleX(${share})`;
}
