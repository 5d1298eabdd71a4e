// Calls of the HTTP interface. Answers do not change while the server runs, so they are kept.

const KEPT = 200;
const answers = new Map();

async function call(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  const detail = answer?.detail;
  throw new Error(
    typeof detail === "string" ? detail : `The server failed (status ${response.status}).`,
  );
}

/** Return the models that are served, and the limits. */
export function fetchModels() {
  return call("api/models");
}

/** Return the prediction of a model for an example, and the steps that led to it. */
export function fetchTrace(model, sentences, trees) {
  const body = JSON.stringify({ model, sentences, trees });
  if (!answers.has(body)) {
    if (answers.size >= KEPT) answers.delete(answers.keys().next().value);
    const headers = { "Content-Type": "application/json" };
    const answer = call("api/trace", { method: "POST", headers, body });
    answers.set(body, answer);
    answer.catch(() => answers.delete(body));
  }
  return answers.get(body);
}
