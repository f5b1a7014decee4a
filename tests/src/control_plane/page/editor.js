// The editor: line numbers beside the text, and a mark at the line that is wrong. The tab key moves on, as everywhere.
const LINE_HEIGHT = 20;
const SHORTEST = 8;
const editorText = () => document.getElementById("document-toml");

// Draws the numbers, with a mark at `line` if it is given.
function markLine(text, line) {
  const count = Math.max(text.value.replace(/\n$/, "").split("\n").length, SHORTEST);
  const numbers = Array.from({ length: count }, (_, index) => index + 1 === line
    ? Object.assign(document.createElement("b"), { textContent: `✕ ${line}\n` }) : `${index + 1}\n`);
  text.parentElement.querySelector(".lines").replaceChildren(...numbers);
  text.rows = count;
  if (line) text.dataset.line = line;
  else delete text.dataset.line;
  text.style.setProperty("--line-top", `${8 + ((line || 1) - 1) * LINE_HEIGHT}px`);
  text.setAttribute("aria-invalid", String(Boolean(line)));
}

// Marks the line that the gateway found wrong, unless the text was edited since.
function markVerdict() {
  const text = editorText();
  const line = Number(document.querySelector("#document-verdict [data-line]")?.dataset.line);
  if (text) markLine(text, isChanged(text) ? null : line || null);
}

document.addEventListener("DOMContentLoaded", markVerdict);
document.addEventListener("pagechange", () => { if (!document.getElementById("document-error")?.textContent) markVerdict(); });
document.addEventListener("input", ({ target }) => {
  if (target !== editorText()) return;
  document.getElementById("document-error").textContent = "";
  markLine(target, null);
});
document.addEventListener("acted", ({ target, detail: { done, answer } }) => {
  if (!target.matches("#document-form")) return;
  const text = editorText();
  document.getElementById("document-error").textContent = done ? "" : answer.line ? `Line ${answer.line}: ${answer.message}` : answer.message;
  markLine(text, done ? null : answer.line || null);
  if (done) return;
  text.setAttribute("aria-invalid", "true");
  text.focus();
  if (!answer.line) return;
  const start = text.value.split("\n").slice(0, answer.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
  text.setSelectionRange(start, start);
});
