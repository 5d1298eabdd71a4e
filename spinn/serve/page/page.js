// The page: what is typed and chosen, the models that are shown, and their comparison.

import { flushAddress, readAddress, writeAddress } from "./address.js";
import { fetchModels, fetchTrace } from "./api.js";
import { compare } from "./compare.js";
import { html } from "./dom.js";
import { examplesFor } from "./examples.js";
import { Panel } from "./panel.js";
import { Player } from "./player.js";

const find = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let models = [];
let limits = null;
let panels = [];
let loads = 0; // number of the latest load: an answer to an earlier one is dropped
const state = { texts: {}, pasted: {}, runs: [], trees: "own", step: null };
const player = new Player(
  Object.fromEntries(
    ["first", "back", "play", "forward", "last", "slider", "speed", "count"].map((name) => [
      name,
      find(name),
    ]),
  ),
  showStep,
);

const shownModels = () => models.filter((model) => state.runs.includes(model.name));
const roles = () => shownModels()[0].roles;

// Loading.

async function start() {
  try {
    ({ models, limits } = await fetchModels());
  } catch (error) {
    report(error.message);
    return;
  }
  takeState();
  await load(state.step);
}

/** Take the state over from the address; what it lacks is an example, whole. */
function takeState() {
  const given = readAddress();
  const known = models.filter((model) => given.runs.includes(model.name));
  const first = known[0] ?? models[0];
  const shown = known.length ? known.filter((model) => sameKind(model, first)) : [first];
  state.runs = shown.map((model) => model.name);
  const example = examplesFor(shown)[0].texts;
  const isGiven = first.roles.some((role) => role in given.texts);
  state.texts = Object.fromEntries(
    first.roles.map((role, side) => [role, isGiven ? (given.texts[role] ?? "") : example[side]]),
  );
  state.pasted = given.pasted;
  state.trees = first.trees.includes(given.trees) ? given.trees : "own";
  state.step = given.step;
  drawModels();
  drawInputs();
}

/** Ask the models, and show what they answer: a step of it, by default the last, or play it. */
async function load(step, play = false) {
  const number = ++loads;
  player.pause();
  report("");
  find("main").setAttribute("aria-busy", "true");
  const shown = shownModels();
  const answers = await Promise.all(
    shown.map(async (model) => {
      const trees = model.trees.includes(state.trees) ? state.trees : "own";
      try {
        const texts = textsFor(trees);
        if (texts === null) throw new Error("Paste a tree below, or choose other trees.");
        return await fetchTrace(model.name, texts, trees);
      } catch (error) {
        return error;
      }
    }),
  );
  if (number !== loads) return;
  panels = shown.map((model) => new Panel(model, (step) => player.seek(step)));
  find("panels").replaceChildren(...panels.map((panel) => panel.element));
  panels.forEach((panel, index) => {
    if (answers[index] instanceof Error) panel.fail(answers[index].message);
    else panel.fill(answers[index]);
  });
  const length = Math.max(...panels.map((panel) => panel.length));
  player.load(length, step ?? length);
  if (play) player.play();
  find("main").setAttribute("aria-busy", "false");
  await showComparison(shown, number);
}

async function showComparison(shown, number) {
  const section = find("comparison");
  const compared = shown.filter((model) => model.trees.length > 1);
  section.hidden = compared.length === 0;
  const inputs = Object.fromEntries(
    ["own", "left", "right", "balanced", "given"].map((trees) => [trees, textsFor(trees)]),
  );
  const choose = (trees) => {
    state.trees = trees;
    load(0, !calm.matches);
  };
  const fill = await compare(find("tables"), compared, inputs, state.trees, choose);
  if (number === loads) fill();
}

/** Return the texts for a choice of trees; null for pasted trees if none was pasted. */
function textsFor(trees) {
  if (trees !== "given") return roles().map((role) => state.texts[role]);
  const pasted = roles().map((role) => state.pasted[role]);
  return pasted.some(Boolean) ? pasted.map((text) => text ?? "") : null;
}

function showStep(step, playing) {
  for (const panel of panels) panel.show(step);
  const status = find("status");
  status.setAttribute("aria-live", playing ? "off" : "polite");
  const spoken = panels.map((panel) => {
    const text = panel.spoken(step);
    return panels.length > 1 && text ? `${panel.model.name}: ${text}` : text;
  });
  status.textContent = [`Step ${step} of ${player.length}`, ...spoken.filter(Boolean)].join(". ");
  state.step = step;
  writeAddress(state, roles());
}

function report(message) {
  find("problem").textContent = message;
  find("problem").hidden = message === "";
}

// Inputs.

function sameKind(one, other) {
  return one.roles.length === other.roles.length;
}

function drawModels() {
  find("models").hidden = models.length < 2;
  const boxes = models.map((model) => {
    const box = html("input", { type: "checkbox", name: "run", value: model.name });
    box.checked = state.runs.includes(model.name);
    box.addEventListener("change", () => chooseModel(model, box));
    return html("label", { class: "chip", title: model.form }, box, model.name);
  });
  find("model-list").replaceChildren(...boxes);
}

/** Show a model or not; at least one is shown, and all of them take the same kind of input. */
function chooseModel(model, box) {
  const before = shownModels();
  const others = before.filter((one) => one !== model);
  if (!box.checked && others.length === 0) {
    box.checked = true;
    return;
  }
  const kept = others.filter((one) => sameKind(one, model));
  const shown = new Set(box.checked ? [...kept, model] : others);
  state.runs = models.filter((one) => shown.has(one)).map((one) => one.name);
  moveExample(before, shownModels());
  if (!shownModels().some((one) => one.trees.includes(state.trees))) state.trees = "own";
  drawModels();
  drawInputs();
  load(player.step < player.length ? player.step : null);
}

/** Keep an example that is shown, as other models take it; begin anew if they take another kind. */
function moveExample(before, after) {
  const isSame = ({ texts }) => before[0].roles.every((role, side) => state.texts[role] === texts[side]);
  const found = examplesFor(before).findIndex(isSame);
  const changed = !sameKind(before[0], after[0]);
  if (changed) state.pasted = {};
  if (!changed && found < 0) return;
  const { texts } = examplesFor(after)[changed ? 0 : found] ?? examplesFor(after)[0];
  state.texts = Object.fromEntries(after[0].roles.map((role, side) => [role, texts[side]]));
}

function drawInputs() {
  const field = (value, id, label, required) => {
    const attributes = { id, name: id, type: "text", maxlength: limits.characters, required };
    const off = { autocomplete: "off", autocapitalize: "off", spellcheck: "false" };
    const input = html("input", { ...attributes, ...off });
    input.value = value ?? "";
    return html("div", { class: "field" }, html("label", { for: id }, label), input);
  };
  find("texts").replaceChildren(
    ...roles().map((role) => field(state.texts[role], role, role, true)),
  );
  find("trees").replaceChildren(
    ...roles().map((role) =>
      field(state.pasted[role], `${role}-tree`, `tree of the ${role}`, false),
    ),
  );
  const buttons = examplesFor(shownModels()).map(({ name, texts }) => {
    const choose = () => {
      roles().forEach((role, side) => (find(role).value = texts[side]));
      submit();
    };
    return html("button", { class: "chip", type: "button", onclick: choose }, name);
  });
  find("examples").replaceChildren(...buttons);
}

function submit() {
  for (const role of roles()) state.texts[role] = find(role).value;
  if (state.trees === "given") state.trees = "own";
  load(0, !calm.matches);
}

async function submitTrees() {
  const isEmpty = (role) => find(`${role}-tree`).value.trim() === "";
  if (roles().some(isEmpty)) await pasteOwn(isEmpty);
  for (const role of roles()) state.pasted[role] = find(`${role}-tree`).value.trim();
  state.trees = "given";
  load();
}

/** Write the model's own trees into the fields of some sentences, where they can be changed. */
async function pasteOwn(chosen) {
  const model = shownModels().find((one) => one.trees.length > 1);
  try {
    const own = await fetchTrace(model.name, textsFor("own"), "own");
    for (const { role, brackets } of own.sentences) {
      if (chosen(role)) find(`${role}-tree`).value = brackets;
    }
  } catch (error) {
    report(error.message);
  }
}

const submitted = (id, handle) =>
  find(id).addEventListener("submit", (event) => {
    event.preventDefault();
    handle();
  });
submitted("input", submit);
submitted("pasted", submitTrees);
find("start-own").addEventListener("click", () => pasteOwn(() => true));

find("share").addEventListener("click", async () => {
  flushAddress();
  const copied = await navigator.clipboard?.writeText(location.href).then(
    () => true,
    () => false,
  );
  find("shared").textContent = copied ? "Copied." : "The address of this page is the link.";
  setTimeout(() => (find("shared").textContent = ""), 4000);
});
addEventListener("hashchange", () => {
  takeState();
  load(state.step);
});
addEventListener("pagehide", flushAddress);

start();
