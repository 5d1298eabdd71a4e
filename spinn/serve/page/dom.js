// Elements of HTML and SVG. Text is always set as text, so it is never interpreted as markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Return an element of HTML with attributes (`on...` are listeners) and children. */
export function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return an element of SVG. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

export function percent(probability) {
  return `${(100 * probability).toFixed(1)}%`;
}

/** Save text as a file. */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  html("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** Return a text as part of the name of a file. */
export function fileName(text) {
  return text.replace(/[^\w.-]+/g, "-").replace(/^-+|-+$/g, "") || "model";
}

/** Return a row of name, bar and number for each label, or for the `most` most probable. */
export function labelBars(probabilities, predicted, most = Infinity) {
  const all = Object.entries(probabilities);
  const shown = all.length > most ? all.sort((a, b) => b[1] - a[1]).slice(0, most) : all;
  const rows = shown.map(([label, probability]) => {
    const fill = html("span", { class: "fill" });
    fill.style.width = percent(probability);
    return html(
      "li",
      { "data-label": label, class: label === predicted ? "predicted" : null },
      html("span", { class: "name" }, label),
      html("span", { class: "track", "aria-hidden": "true" }, fill),
      html("span", { class: "number" }, percent(probability)),
    );
  });
  return html("ul", { class: "labels", "aria-label": "Probabilities of the labels" }, ...rows);
}
