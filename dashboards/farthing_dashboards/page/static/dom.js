// Building the page from data, and changing it in place: the reader's focus, selection and scroll
// stay where they are while numbers change. Text is only ever text: names come from anywhere.

const SVG = "http://www.w3.org/2000/svg";

// h("a", { href: "?", vars: { "--share": 0.5 } }, "text", node, null)
export function h(tag, attributes, ...children) {
  return built(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return built(document.createElementNS(SVG, tag), attributes, children);
}

function built(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "vars") {
      // By the object model: the policy forbids style attributes in markup.
      for (const [variable, setting] of Object.entries(value))
        element.style.setProperty(variable, setting);
    } else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

// Make `parent` have `children`, keeping every node that need not change.
export function fill(parent, ...children) {
  const focused = document.activeElement;
  const next = document.createElement("div");
  next.append(...children.flat(Infinity).filter(Boolean));
  changeChildren(parent, next);
  if (focused !== document.activeElement && focused?.isConnected)
    focused.focus({ preventScroll: true });
}

function changeChildren(old, next) {
  const keyed = new Map();
  for (const child of old.children)
    if (child.dataset.key !== undefined) keyed.set(child.dataset.key, child);
  let at = old.firstChild;
  for (const wanted of [...next.childNodes]) {
    const key = wanted.dataset?.key;
    const match = key === undefined ? at : keyed.get(key);
    if (match && alike(match, wanted)) {
      if (match === at) at = at.nextSibling;
      else old.insertBefore(match, at);
      change(match, wanted);
    } else {
      old.insertBefore(wanted, at);
    }
  }
  while (at) {
    const after = at.nextSibling;
    at.remove();
    at = after;
  }
}

function alike(old, wanted) {
  return old.nodeName === wanted.nodeName && old.dataset?.key === wanted.dataset?.key;
}

function change(old, wanted) {
  if (old.isEqualNode(wanted)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = wanted.data;
    return;
  }
  changeAttributes(old, wanted);
  if (old.dataset?.own) return; // what is inside is changed by who put it there
  changeChildren(old, wanted);
  if (old.nodeName === "SELECT" && old !== document.activeElement) old.value = wanted.value;
}

function changeAttributes(old, wanted) {
  for (const { name } of [...old.attributes]) {
    // What the reader opened stays open.
    if (!wanted.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS"))
      old.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (old.getAttribute(name) === value) continue;
    if (name === "style") old.style.cssText = value;
    else old.setAttribute(name, value);
  }
}
