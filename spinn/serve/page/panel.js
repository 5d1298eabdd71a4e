// One model: its sentences, and the label that it predicts at the end.

import { download, fileName, html, labelBars } from "./dom.js";
import { SentenceView } from "./sentence.js";

const SOURCES = {
  predicted: "trees of its tracker",
  sampled: "trees of its tracker, learned from the labels",
  gold: "given trees",
  left: "left-branching trees",
  right: "right-branching trees",
  balanced: "balanced trees",
  random: "random trees",
  "random-shift": "random trees",
  gumbel: "trees that it builds bottom-up",
};
export const TREES = {
  own: "own",
  left: "left-branching",
  right: "right-branching",
  balanced: "balanced",
  given: "pasted",
};

export class Panel {
  constructor(model, seek) {
    this.model = model;
    this.seek = seek;
    this.views = [];
    this.body = html("div", { class: "body" });
    this.save = html("button", { class: "small", type: "button", hidden: true }, "JSON");
    this.save.setAttribute("aria-label", `Save the trace of ${model.name} as JSON`);
    this.save.addEventListener("click", () => {
      const text = JSON.stringify(this.trace, null, 2);
      download(`${fileName(model.name)}-trace.json`, "application/json", text);
    });
    this.about = html("p", { class: "about" });
    this.element = html(
      "article",
      { class: "panel", "aria-label": `Model ${model.name}` },
      html(
        "header",
        {},
        html("div", { class: "row" }, html("h2", {}, model.name), this.about),
        this.save,
      ),
      this.body,
    );
  }

  /** Number of steps of the longest sentence. */
  get length() {
    return Math.max(0, ...this.views.map((view) => view.steps.length));
  }

  fill(trace) {
    this.trace = trace;
    this.save.hidden = false;
    const source = trace.trees === "own" ? SOURCES[this.model.source] : `${TREES[trace.trees]} trees`;
    this.about.textContent = `${this.model.form}, ${source ?? "no trees"}`;
    const unknown = new Set(trace.unknown);
    this.views = trace.sentences.map(
      (record) => new SentenceView(record, this.model.name, unknown, this.seek),
    );
    this.final = labelBars(trace.probabilities, trace.predicted);
    this.verdict = html("section", { class: "verdict", "aria-label": "Verdict" });
    this.verdict.append(html("h3", {}, "Verdict"), this.final);
    const views = html("div", { class: "sentences" }, ...this.views.map((view) => view.element));
    this.body.replaceChildren(views, ...this.remarks(trace), this.verdict);
    for (const view of this.views) view.start();
  }

  remarks(trace) {
    const remarks = [];
    if (trace.unknown.length) {
      remarks.push(`Unknown to the model: ${trace.unknown.join(", ")}.`);
    }
    if (trace.sentences[0].steps === null) {
      remarks.push("This encoder has no trees: there are no steps to show.");
    }
    return remarks.map((text) => html("p", { class: "note" }, text));
  }

  fail(message) {
    this.views = [];
    this.trace = null;
    this.save.hidden = true;
    this.about.textContent = this.model.form;
    const parts = [html("p", { class: "error", role: "alert" }, message)];
    if (this.model.parsed_text) {
      const remedy = "This model follows given trees: pick an example, or write trees in brackets.";
      parts.push(html("p", { class: "note" }, remedy));
    }
    this.body.replaceChildren(...parts);
  }

  show(time) {
    if (this.trace === null) return;
    for (const view of this.views) view.show(time);
    this.verdict.classList.toggle("pending", time < this.length);
    this.final.inert = time < this.length;
  }

  spoken(time) {
    const texts = this.views.map((view) => view.spoken(time)).filter(Boolean);
    if (this.trace && time >= this.length) texts.push(`verdict: ${this.trace.predicted}`);
    return texts.join("; ");
  }
}
