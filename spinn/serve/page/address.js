// The state of the page in its address, behind the #, which browsers do not send to the server.

/** Return the state in the address. What it lacks is null or empty. */
export function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const texts = {};
  const pasted = {};
  for (const role of ["premise", "hypothesis", "sentence"]) {
    if (given.has(role)) texts[role] = given.get(role);
    if (given.has(`${role}-tree`)) pasted[role] = given.get(`${role}-tree`);
  }
  const step = given.get("step");
  return {
    texts,
    pasted,
    runs: given.getAll("run"),
    trees: given.get("trees"),
    step: step !== null && /^\d{1,6}$/.test(step) ? Number(step) : null,
  };
}

let written = null;
let timer = null;

/** Write a state to the address; soon, because browsers limit how often it may change. */
export function writeAddress(state, roles) {
  const address = new URLSearchParams();
  for (const role of roles) address.set(role, state.texts[role] ?? "");
  for (const run of state.runs) address.append("run", run);
  if (state.trees !== "own") address.set("trees", state.trees);
  for (const role of roles) {
    if (state.pasted[role]) address.set(`${role}-tree`, state.pasted[role]);
  }
  address.set("step", state.step);
  written = `#${address}`;
  timer ??= setTimeout(flushAddress, 250);
}

/** Write the address now. */
export function flushAddress() {
  clearTimeout(timer);
  timer = null;
  if (written !== null && written !== location.hash) history.replaceState(null, "", written);
}
