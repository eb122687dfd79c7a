// Making and renewing nodes. Everything foreign becomes a text node or an attribute, never markup.

export const element = (id) => document.getElementById(id);

/** A node; an attribute that is undefined or false is left out, as is such a child. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false)
      node.setAttribute(name, value === true ? "" : value);
  }
  node.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== undefined && child !== null && child !== false),
  );
  return node;
}

export const soft = (...text) => make("span", { class: "soft" }, text);
export const code = (text) => make("code", {}, text);

/**
 * Gives `parent` these children, changing only what differs: what a person has opened, focused,
 * selected or scrolled stays so. Nodes with data-key are found again by it, others by position.
 */
export function renew(parent, children) {
  const keyed = new Map(
    [...parent.children].filter((node) => node.dataset.key).map((node) => [node.dataset.key, node]),
  );
  children.forEach((wanted, index) => {
    const there = parent.childNodes[index];
    const key = wanted.dataset?.key;
    const old = key ? keyed.get(key) : there?.dataset?.key ? undefined : there;
    if (old?.nodeName !== wanted.nodeName) {
      parent.insertBefore(wanted, there ?? null);
      return;
    }
    if (old !== there) parent.insertBefore(old, there);
    renewNode(old, wanted);
  });
  while (parent.childNodes.length > children.length) parent.lastChild.remove();
}

function renewNode(old, wanted) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== wanted.data) old.data = wanted.data;
    return;
  }
  const kept = (name) => name === "open" || name === "style"; // open is the person's own
  for (const { name } of [...old.attributes]) {
    if (!kept(name) && !wanted.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (!kept(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  // The policy of this page forbids the attribute; the property may be set.
  if (old.style.cssText !== wanted.style.cssText) old.style.cssText = wanted.style.cssText;
  renew(old, [...wanted.childNodes]);
}

/**
 * A table; columns are {title, label}: the label stands before the value where a row is a card.
 * Rows are {key, first, cells}. The roles keep it a table when a narrow screen shows it as cards.
 */
export function table(name, columns, rows) {
  const head = columns.map(({ title }) =>
    make("th", { scope: "col", role: "columnheader" }, title),
  );
  const body = rows.map(({ key, first, cells }) =>
    make(
      "tr",
      { role: "row", "data-key": key, class: first === false ? "again" : undefined },
      cells.map((cell, index) =>
        make(
          "td",
          { role: "cell", "data-label": columns[index].label, class: cell ? undefined : "none" },
          cell,
        ),
      ),
    ),
  );
  return make(
    "table",
    { role: "table", "aria-label": name },
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, head)),
    make("tbody", { role: "rowgroup" }, body),
  );
}
