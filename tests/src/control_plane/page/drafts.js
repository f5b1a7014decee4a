// Unsaved text: what is typed into a form with `data-draft` is kept in this browser until it is saved or discarded, over
// reloads, lost connections and a closed window.
const draftKey = (form) => `harmony.draft.${form.dataset.draft}`;
const editable = (form) => [...form.elements].filter((field) => field.name && field.type !== "hidden");
const storedValue = (field) =>
  field.type === "select-one" ? [...field.options].find((option) => option.defaultSelected)?.value ?? "" : field.defaultValue;
const isChanged = (field) => field.value !== storedValue(field);

function keepDraft(form) {
  const changed = editable(form).filter(isChanged);
  form.querySelector("[data-discard]").hidden = changed.length === 0;
  if (changed.length === 0) {
    form.querySelector("[data-draft-note]").hidden = true;
    localStorage.removeItem(draftKey(form));
    return;
  }
  const fields = Object.fromEntries(changed.map((field) => [field.name, { value: field.value, stored: storedValue(field) }]));
  localStorage.setItem(draftKey(form), JSON.stringify({ at: new Date().toISOString(), fields }));
}

function restoreDraft(form) {
  const draft = JSON.parse(localStorage.getItem(draftKey(form)) || "null");
  if (!draft || editable(form).some(isChanged)) return;
  let isOutdated = false;
  for (const field of editable(form)) {
    const kept = draft.fields[field.name];
    if (!kept) continue;
    field.value = kept.value;
    isOutdated ||= kept.stored !== storedValue(field);
  }
  if (!editable(form).some(isChanged)) return localStorage.removeItem(draftKey(form));
  const note = form.querySelector("[data-draft-note]");
  const time = Object.assign(document.createElement("time"), { dateTime: draft.at });
  time.dataset.age = "";
  note.replaceChildren("Your unsaved edits from ", time, " are back.",
    isOutdated ? " The stored text has changed since then: saving replaces it." : "");
  note.hidden = false;
  form.querySelector("[data-discard]").hidden = false;
  updateAges();
}

// Makes what is in the fields the stored values: the server has them now.
function settleDraft(form) {
  localStorage.removeItem(draftKey(form));
  for (const field of editable(form)) {
    if (field.type === "select-one") for (const option of field.options) option.defaultSelected = option.selected;
    else field.defaultValue = field.value;
  }
  keepDraft(form);
}

const restoreDrafts = () => document.querySelectorAll("form[data-draft]").forEach(restoreDraft);
document.addEventListener("DOMContentLoaded", restoreDrafts);
document.addEventListener("pagechange", restoreDrafts);
document.addEventListener("input", ({ target }) => { if (target.form?.dataset.draft) keepDraft(target.form); });
document.addEventListener("acted", ({ target, detail }) => { if (detail.done && target.dataset.draft) settleDraft(target); });
document.addEventListener("click", ({ target }) => {
  if (!("discard" in target.dataset)) return;
  const [first] = editable(target.form);
  target.form.reset();
  first.dispatchEvent(new Event("input", { bubbles: true }));
  first.focus();
});
