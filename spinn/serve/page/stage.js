// The drawing of one sentence: the buffer below, the stack above it, and the tree that grows.

import { svg } from "./dom.js";
import { derive, joint, place } from "./derivation.js";

const FONT = 14;
const GAP = 8; // between two words
const SLIDE = 26; // horizontal way of a word from the buffer to the stack
const MARGIN = 14;
const PILL = 26; // height of a word
const SMALLEST = 0.8; // scale at which a long sentence is scrolled, not shrunk further
const TALL = 0.4; // preferred height of a tree, as a share of the width of its container

const ruler = document.createElement("canvas").getContext("2d");

function widthOf(word, font) {
  ruler.font = font;
  return Math.max(ruler.measureText(word).width + 16, 28);
}

function levelOf(height, available) {
  const tall = Math.max(110, Math.min(190, TALL * available));
  return Math.max(3, Math.min(24, tall / Math.max(height, 1)));
}

/** The drawing in a container, which scrolls if the sentence is long. */
export class Stage {
  constructor(container, role, words, transitions, unknown) {
    this.container = container;
    this.role = role;
    this.hasTree = transitions !== null;
    this.derivation = derive(words, transitions ?? []);
    this.measure();
    this.draw(unknown);
    new ResizeObserver(() => this.resize()).observe(container);
    this.resize();
  }

  measure() {
    const { words, nodes } = this.derivation;
    const font = `${FONT}px ${getComputedStyle(this.container).fontFamily}`;
    this.widths = words.map((word) => widthOf(word, font));
    let end = MARGIN;
    this.centres = this.widths.map((width) => {
      end += width + GAP;
      return end - GAP - width / 2;
    });
    this.width = end - GAP + MARGIN + (this.hasTree ? SLIDE : 0);
    const height = Math.max(...nodes.map((node) => node.height));
    this.level = levelOf(height, this.container.clientWidth);
    this.base = MARGIN + height * this.level + 4; // upper edge of the words on the stack
    place(nodes, this.centres, this.base, this.level);
    this.stackY = this.base + PILL / 2 + 2;
    this.bufferY = this.hasTree ? this.stackY + 74 : this.stackY;
    this.height = this.bufferY + PILL / 2 + (this.hasTree ? 26 : MARGIN);
  }

  draw(unknown) {
    const { words, nodes } = this.derivation;
    this.wordElements = words.map((word, index) => this.drawWord(word, index, unknown.has(word)));
    this.nodeElements = nodes.map((node) => (node.left ? this.drawNode(node) : null));
    this.itemElements = this.hasTree ? nodes.map((node) => this.drawItem(node)) : [];
    this.lanes = this.hasTree ? this.drawLanes() : [];
    this.svg = svg(
      "svg",
      { class: "stage", role: "img", "aria-label": this.summary(unknown) },
      ...this.lanes.map((lane) => lane.group),
      svg("g", {}, ...this.itemElements),
      svg("g", {}, ...this.nodeElements.filter(Boolean)),
      svg("g", {}, ...this.wordElements),
    );
    this.container.replaceChildren(this.svg);
  }

  summary(unknown) {
    const strange = [...new Set(this.derivation.words.filter((word) => unknown.has(word)))];
    const note = strange.length ? `; unknown to the model: ${strange.join(", ")}` : "";
    return `${this.role}: ${this.derivation.words.join(" ")}${note}`;
  }

  drawWord(word, index, isUnknown) {
    const width = this.widths[index];
    const parts = [
      svg("rect", { x: -width / 2, y: -PILL / 2, width, height: PILL, rx: 7 }),
      svg("text", { y: FONT * 0.34 }, word),
    ];
    if (isUnknown) {
      const half = width / 2 - 7;
      parts.push(
        svg("path", { class: "squiggle", d: squiggle(half, PILL / 2 - 5) }),
        svg("title", {}, `${word}: not in the vocabulary of the model`),
      );
    }
    return svg("g", { class: isUnknown ? "word unknown" : "word" }, ...parts);
  }

  drawNode(node) {
    return svg(
      "g",
      { class: "node", "data-span": `${node.start}-${node.end}` },
      svg("path", { pathLength: 1, d: joint(node.left, node.right, node.y, 5) }),
      svg("circle", { cx: node.x, cy: node.y, r: this.level < 8 ? 2 : 3.5 }),
    );
  }

  /** Draw the bar under the words of a node, which shows that it is an item of the stack. */
  drawItem(node) {
    const [first, last] = [node.start, node.end - 1];
    const x = this.centres[first] - this.widths[first] / 2;
    const end = this.centres[last] + this.widths[last] / 2;
    const y = this.stackY + PILL / 2 + 6;
    return svg("rect", { class: "item", x, y, width: end - x, height: 4, rx: 2 });
  }

  drawLanes() {
    const lanes = [
      ["stack", this.stackY - PILL / 2 - 7, PILL + 40],
      ["buffer", this.bufferY - PILL / 2 - 7, PILL + 32],
    ];
    return lanes.map(([name, y, height]) => {
      const band = svg("rect", { x: 1, y, height, rx: 10 });
      const caption = svg("text", { y: y + height - 7 }, name);
      return { band, caption, group: svg("g", { class: `lane ${name}` }, band, caption) };
    });
  }

  /** Fit the drawing to the container: widen, shrink a little, or let it scroll. */
  resize() {
    const available = this.container.clientWidth;
    if (available === 0) return;
    const width = Math.max(this.width, available);
    this.scale = Math.max(SMALLEST, available / width);
    this.offset = (width - this.width) / 2;
    this.svg.setAttribute("viewBox", `${-this.offset} 0 ${width} ${this.height}`);
    this.svg.style.width = `${Math.floor(width * this.scale)}px`;
    for (const { band, caption } of this.lanes) {
      band.setAttribute("x", 1 - this.offset);
      band.setAttribute("width", width - 2);
      caption.setAttribute("x", width - this.offset - 10);
    }
    this.follow();
  }

  /** Show the state after a number of steps. */
  show(time) {
    const { transitions, states, nodes } = this.derivation;
    this.time = Math.min(time, transitions.length);
    const state = states[this.time];
    this.settle();
    const next = transitions[this.time];
    this.wordElements.forEach((element, index) => {
      const onStack = !this.hasTree || index < state.shifted;
      const x = this.centres[index] + (onStack ? 0 : SLIDE);
      element.style.transform = `translate(${x}px, ${onStack ? this.stackY : this.bufferY}px)`;
      element.classList.toggle("waiting", !onStack);
      element.classList.toggle("next", next === "shift" && index === state.shifted);
    });
    this.nodeElements.forEach((element, index) => {
      element?.classList.toggle("made", nodes[index].time <= this.time);
      element?.classList.toggle("new", nodes[index].time === this.time);
    });
    const top = state.stack.slice(-2);
    this.itemElements.forEach((element, index) => {
      element.classList.toggle("shown", state.stack.includes(nodes[index]));
      element.classList.toggle("next", next === "reduce" && top.includes(nodes[index]));
    });
    this.follow();
  }

  /** Let the first state appear without a motion. */
  settle() {
    if (this.settled) return;
    this.settled = true;
    this.svg.classList.add("still");
    requestAnimationFrame(() => requestAnimationFrame(() => this.svg.classList.remove("still")));
  }

  /** Scroll to the words that the step is about. */
  follow() {
    const slack = this.svg.clientWidth - this.container.clientWidth;
    if (this.time === undefined || slack <= 1) return;
    const { states, words } = this.derivation;
    const at = this.centres[Math.min(states[this.time].shifted, words.length - 1)];
    const left = (at + this.offset) * this.scale - this.container.clientWidth / 2;
    this.container.scrollTo({ left: Math.max(0, Math.min(slack, left)) });
  }
}

function squiggle(half, y) {
  let path = `M${-half} ${y}`;
  for (let x = -half; x + 4 <= half + 0.01; x += 4) path += "q1 -2.4 2 0t2 0";
  return path;
}

/** Return a small drawing of a tree without its words. */
export function thumbnail(words, transitions, brackets) {
  const { nodes } = derive(words, transitions);
  const height = Math.max(...nodes.map((node) => node.height));
  const [unit, level] = [9, Math.max(1.2, Math.min(7, 44 / Math.max(height, 1)))];
  const base = 2 + height * level;
  place(nodes, words.map((_, index) => 4 + index * unit), base, level);
  const lines = nodes.filter((node) => node.left).map((node) => joint(node.left, node.right, node.y));
  const width = 8 + (words.length - 1) * unit;
  const leaves = words.map((_, index) => `M${4 + index * unit} ${base}v3`);
  return svg(
    "svg",
    {
      class: "thumbnail",
      role: "img",
      "aria-label": brackets,
      viewBox: `0 0 ${width} ${base + 5}`,
      width,
      height: base + 5,
    },
    svg("title", {}, brackets),
    svg("path", { d: [...lines, ...leaves].join("") }),
  );
}
