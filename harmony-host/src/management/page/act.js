// Actions: a form with `data-act` is sent as JSON, which no page of another site can do. What cannot be undone is asked for
// first, with the name of the thing.

// Asks the gateway what an action would do, and returns that in sentences.
async function foresee(form) {
  const body = JSON.stringify({ ...bodyOf(form), dry_run: true });
  const response = await fetch(form.action, { method: "POST", headers: { "Content-Type": "application/json", ...own() }, body });
  const answer = await response.json();
  const files = (verb, names = []) => names.map((name) => `${verb} ${name}`);
  return [
    ...response.ok ? [] : [answer.message], ...answer.reasons ?? [], ...answer.changed ?? [], ...files("writes", answer.written),
    ...files("removes", answer.removed), ...files("replaces the unapplied edit of", answer.lost), ...answer.kept ?? [], ...answer.control_plane ?? [],
  ];
}

// Answers the question that is open.
let answer = () => {};

// Asks in a dialog. Resolves to whether the answer is yes. The event of a dialog that was closed just before may come late, or
// not before that of this one: then the answer to that question is no.
function ask({ ask: question, consequence, yes }, foreseen = []) {
  const dialog = document.getElementById("ask");
  document.getElementById("ask-question").textContent = question;
  document.getElementById("ask-consequence").textContent = consequence || "";
  document.getElementById("ask-yes").textContent = yes;
  document.getElementById("ask-foreseen").replaceChildren(
    ...foreseen.map((sentence) => Object.assign(document.createElement("li"), { textContent: sentence })));
  dialog.returnValue = "";
  dialog.showModal();
  answer(false);
  return new Promise((resolve) => {
    answer = resolve;
    dialog.onclose = () => dialog.open || resolve(dialog.returnValue === "yes");
  });
}

// Returns the fields of a form as JSON. An empty field that may be absent is left out.
function bodyOf(form) {
  const fields = [...form.elements].filter((field) => field.name && !("optional" in field.dataset && !field.value));
  return Object.fromEntries(fields.map((field) => [field.name, field.type === "number" || "number" in field.dataset ? Number(field.value) : field.value]));
}

// Shows the outcome of an action at the top, and an error beside the field at fault too.
function showOutcome(form, is, text, problems = []) {
  const error = form.querySelector("[data-error]");
  if (error) error.textContent = is === "ok" ? "" : text;
  form.querySelector("[data-at-fault]")?.setAttribute("aria-invalid", is !== "ok");
  const outcome = document.getElementById("outcome");
  outcome.className = `note ${is}`;
  outcome.hidden = false;
  const list = document.createElement("ul");
  list.append(...problems.map((problem) => Object.assign(document.createElement("li"), { textContent: problem })));
  outcome.replaceChildren(text, list);
  say(text);
}

const inWords = ({ file, line, key, message, help }) =>
  [file && (line ? `${file}:${line}` : file), key, message].filter(Boolean).join(": ") + (help ? ` (${help})` : "");

async function act(form) {
  const button = form.querySelector("button:not([type=button])");
  button?.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(form.action, {
      method: "POST", headers: { "Content-Type": "application/json", ...own() }, body: JSON.stringify(bodyOf(form)),
    });
    const answer = await response.json().catch(() => ({}));
    const done = response.ok && answer.success !== false;
    const text = done ? form.dataset.done || answer.message : answer.message || `the answer is ${response.status}`;
    showOutcome(form, done ? "ok" : "bad", text, [...answer.reasons ?? [], ...(answer.problems ?? []).map(inWords), ...answer.control_plane ?? []]);
    if (done && "reset" in form.dataset) form.reset();
    if (done && form.dataset.then) history.replaceState(null, "", form.dataset.then.replace("{name}", encodeURIComponent(answer.name)));
    form.dispatchEvent(new CustomEvent("acted", { bubbles: true, detail: { done, answer } }));
  } catch {
    showOutcome(form, "bad", "Nothing was sent: there is no connection.");
  } finally {
    button?.removeAttribute("aria-busy");
  }
  pageTag = null;
  refresh();
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("act" in form.dataset)) return;
  event.preventDefault();
  const from = event.submitter?.id;
  const foreseen = "foreseen" in form.dataset ? await foresee(form).catch(() => []) : [];
  if (form.dataset.ask && !(await ask(form.dataset, foreseen))) return document.getElementById(from)?.focus();
  await act(form);
  // The part with the button may have been replaced while the dialog was open.
  if (!document.activeElement || document.activeElement === document.body) document.getElementById(from)?.focus();
});
