// The comparison of trees: the same input with other trees, and what the models say of each.

import { fetchTrace } from "./api.js";
import { html, labelBars } from "./dom.js";
import { TREES } from "./panel.js";
import { thumbnail } from "./stage.js";

/** Fill a container with a table for each model; `choose` is called with trees to show. */
export async function compare(container, models, inputs, chosen, choose) {
  const tables = await Promise.all(
    models.map(async (model) => {
      const names = model.trees.filter((trees) => inputs[trees] !== null);
      const rows = names.map((trees) => row(model, inputs[trees], trees, chosen, choose));
      const body = html("tbody", {}, ...(await Promise.all(rows)));
      const titles = ["trees", ...model.roles, "verdict", ""];
      const head = html("tr", {}, ...titles.map((title) => html("th", { scope: "col" }, title)));
      return html(
        "table",
        { class: "comparison" },
        html("caption", { class: models.length === 1 ? "hidden" : null }, model.name),
        html("thead", {}, head),
        body,
      );
    }),
  );
  return () => container.replaceChildren(...tables);
}

async function row(model, texts, trees, chosen, choose) {
  const name = html("th", { scope: "row" }, TREES[trees]);
  const current = trees === chosen;
  let cells;
  try {
    const trace = await fetchTrace(model.name, texts, trees);
    const show = () => choose(trees);
    const label = `Show the ${TREES[trees]} trees`;
    cells = [
      ...trace.sentences.map((record) => html("td", { class: "tree" }, drawn(record))),
      html("td", { class: "said" }, labelBars(trace.probabilities, trace.predicted, 3)),
      html(
        "td",
        {},
        html(
          "button",
          { class: "small", type: "button", "aria-label": label, disabled: current, onclick: show },
          current ? "Shown" : "Show",
        ),
      ),
    ];
  } catch (error) {
    const message = html("p", { class: "error" }, error.message);
    cells = [html("td", { colspan: model.roles.length + 2 }, message)];
  }
  const attributes = { "data-trees": trees, "aria-current": current ? "true" : null };
  return html("tr", attributes, name, ...cells);
}

function drawn(record) {
  const transitions = record.steps.map((step) => step.transition);
  return thumbnail(record.words, transitions, record.brackets);
}
