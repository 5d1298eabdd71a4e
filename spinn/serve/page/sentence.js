// One sentence of an example: its drawing, the next move, and the probabilities of all moves.

import { download, fileName, html, percent, svg } from "./dom.js";
import { legalMoves, phrase } from "./derivation.js";
import { Stage } from "./stage.js";

const MOVES = ["shift", "reduce"];

export class SentenceView {
  /** `seek` is called with the number of steps when one is chosen in the view. */
  constructor(record, model, unknown, seek) {
    this.record = record;
    this.steps = record.steps ?? [];
    this.scored = this.steps.length > 0 && this.steps[0].probabilities !== null;
    this.hasTree = record.steps !== null;
    this.container = html("div", { class: "canvas" });
    this.element = html("section", {
      class: this.hasTree ? "sentence" : "sentence bare",
      "aria-label": record.role,
    });
    this.element.append(this.heading(model), this.container);
    if (this.hasTree) this.element.append(this.drawMoves(), this.drawTimeline(seek));
    if (this.hasTree) this.element.append(this.listing());
    this.model = model;
    this.unknown = unknown;
  }

  /** Draw the sentence; the element must be in the page, because words are measured. */
  start() {
    const transitions = this.hasTree ? this.steps.map((step) => step.transition) : null;
    const { role, words } = this.record;
    this.stage = new Stage(this.container, role, words, transitions, this.unknown);
  }

  heading(model) {
    const heading = html("h3", {}, this.record.role);
    const row = html("div", { class: "row" }, heading);
    if (this.hasTree) {
      const name = `${fileName(model)}-${this.record.role}.svg`;
      const save = () => download(name, "image/svg+xml", this.record.svg);
      const label = `Save the tree of the ${this.record.role} as SVG`;
      row.append(
        html("button", { class: "small", type: "button", "aria-label": label, onclick: save }, "SVG"),
      );
    }
    return row;
  }

  drawMoves() {
    this.caption = html("p", { class: "caption" });
    this.bars = MOVES.map((move) => {
      const fill = html("span", { class: "fill" });
      const number = html("span", { class: "number" });
      const name = html("span", { class: "name" }, move);
      const track = html("span", { class: "track", "aria-hidden": "true" }, fill);
      return { move, fill, number, row: html("li", { "data-move": move }, name, track, number) };
    });
    const list = html("ul", { class: "moves" }, ...this.bars.map((bar) => bar.row));
    const parts = [this.caption, list];
    if (!this.scored) {
      parts.push(html("p", { class: "note" }, "Nothing in this model scores moves: it follows its trees."));
    }
    return html("div", { class: "decision" }, ...parts);
  }

  /** Draw the probabilities of all steps, as one column for each. */
  drawTimeline(seek) {
    const count = this.steps.length;
    const columns = this.steps.flatMap((step, time) => {
      const shift = step.probabilities?.shift ?? Number(step.transition === "shift");
      const box = { x: time + 0.06, width: 0.88 };
      const title = svg("title", {}, `Step ${time + 1}: ${describe(step)}`);
      return [
        svg("rect", { ...box, class: "shift", y: 1 - shift, height: shift }),
        svg("rect", { ...box, class: "reduce", y: 0, height: 1 - shift }),
        svg("rect", { ...box, class: "hit", y: 0, height: 1 }, title),
      ];
    });
    this.cursor = svg("rect", { class: "cursor", y: 0, width: 1, height: 1 });
    const chart = svg(
      "svg",
      { viewBox: `0 0 ${count} 1`, preserveAspectRatio: "none", "aria-hidden": "true" },
      ...columns,
      this.cursor,
    );
    chart.addEventListener("click", (event) => {
      const box = chart.getBoundingClientRect();
      seek(Math.min(count, Math.floor(((event.clientX - box.left) / box.width) * count)));
    });
    return html("div", { class: "timeline" }, chart);
  }

  /** Return the table of all steps, which is filled when it is opened. */
  listing() {
    const details = html("details", {}, html("summary", {}, `All ${this.steps.length} steps`));
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) details.append(this.table());
    });
    return details;
  }

  table() {
    const head = ["step", "stack", "buffer", "p(shift)", "p(reduce)", "move"];
    const rows = this.steps.map((step, time) => {
      const chances = MOVES.map((move) => step.probabilities && percent(step.probabilities[move]));
      const cells = [step.stack.join(", "), step.buffer.join(" "), ...chances, step.transition];
      return html(
        "tr",
        {},
        html("th", { scope: "row" }, String(time + 1)),
        ...cells.map((cell) => html("td", {}, cell ?? "–")),
      );
    });
    const titles = head.map((title) => html("th", { scope: "col" }, title));
    const body = html("tbody", {}, ...rows);
    const table = html("table", {}, html("thead", {}, html("tr", {}, ...titles)), body);
    return html("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Steps" }, table);
  }

  /** Show the state after a number of steps. */
  show(time) {
    this.stage.show(time);
    if (!this.hasTree) return;
    const now = Math.min(time, this.steps.length);
    const step = this.steps[now];
    this.caption.textContent = step
      ? `Next: ${step.transition} (step ${now + 1} of ${this.steps.length})`
      : `Done after ${this.steps.length} steps`;
    const legal = legalMoves(this.stage.derivation, this.stage.derivation.states[now]);
    for (const { move, fill, number, row } of this.bars) {
      const probability = step?.probabilities?.[move];
      fill.style.width = percent(step ? (probability ?? 0) : 0);
      row.classList.toggle("illegal", step !== undefined && !legal[move]);
      row.classList.toggle("taken", step?.transition === move);
      row.classList.toggle("over", step === undefined);
      if (step === undefined) number.textContent = "";
      else if (!legal[move]) number.textContent = "illegal";
      else number.textContent = probability === undefined ? "–" : percent(probability);
    }
    this.cursor.setAttribute("x", now);
    this.cursor.classList.toggle("hidden", step === undefined);
  }

  /** Return what the last of a number of steps did. */
  spoken(time) {
    if (!this.hasTree || time === 0 || time > this.steps.length) return "";
    const { nodes } = this.stage.derivation;
    const node = nodes.find((one) => one.time === time);
    const text = node.left
      ? `reduce ${phrase(this.stage.derivation, node.left)} + ${phrase(this.stage.derivation, node.right)}`
      : `shift ${node.word}`;
    return `${this.record.role}: ${text}`;
  }
}

function describe(step) {
  if (step.probabilities === null) return step.transition;
  const chances = MOVES.map((move) => `${move} ${percent(step.probabilities[move])}`);
  return `${chances.join(", ")}; taken: ${step.transition}`;
}
