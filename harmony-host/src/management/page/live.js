// The live page: asks for itself again and takes over the parts that changed. The server renders them, so that the page
// reads the same without script.
const INTERVAL = 2000;
const LONGEST_WAIT = 60000;
const shown = new Map(); // the text of each part, without ages, by id
let said = ""; // the sentence that was said last
let pageTag = null;
let failures = 0;
let lostSince = null;
let timer = null;
let asking = null;

// The credential of this tab, on a page that needs one.
const own = () => globalThis.credentials?.() ?? {};

// Returns the page at `url`; null while it is the one that is shown.
async function fetchPage(url, known, signal) {
  const headers = { Accept: "text/html", ...own() };
  if (known) headers["If-None-Match"] = known;
  const response = await fetch(url, { headers, cache: "no-store", signal });
  if (response.status === 304) return null;
  if (!response.ok) throw Object.assign(new Error(`the answer is ${response.status}`), { status: response.status });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  pageTag = response.headers.get("ETag");
  return page;
}

// Returns what decides if a part changed: all of it but the ages, which change every second.
function contentOf(part) {
  const copy = part.cloneNode(true);
  for (const time of copy.querySelectorAll("time[data-age]")) time.textContent = "";
  return copy.outerHTML;
}

// Whether somebody has selected text in `part`, or typed into it: a replacement would take that away.
function isInUse(part) {
  const selection = getSelection();
  const isEdited = (field) => field.type === "select-one" ? !field.selectedOptions[0]?.defaultSelected : field.value !== field.defaultValue;
  return (!selection.isCollapsed && selection.containsNode(part, true))
    || [...part.querySelectorAll("input:not([type=hidden]), textarea, select")].some(isEdited);
}

// Replaces a part. The focus stays on the element with the same id, and what is open stays open.
function replacePart(part, next) {
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  for (const open of part.querySelectorAll("details[open][id]")) {
    next.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
  }
  part.replaceWith(document.adoptNode(next));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

// Takes over the parts of `page` that differ.
function takeOver(page) {
  setServerClock(page.body.dataset.now);
  document.title = page.title;
  for (const next of page.querySelectorAll("[data-live]")) {
    const part = document.getElementById(next.id);
    const content = contentOf(next);
    if (!part || shown.get(next.id) === content) continue;
    if (isInUse(part)) { pageTag = null; continue; } // asked for again
    replacePart(part, next);
    shown.set(next.id, content);
  }
  const icon = page.querySelector("link[rel=icon]");
  if (icon) document.querySelector("link[rel=icon]").href = icon.href;
  updateAges();
  const next = sentence();
  if (next !== said) say(said = next);
  document.dispatchEvent(new Event("pagechange"));
}

// Returns the few words that a screen reader says when they change: those of the verdict.
const sentence = () => document.querySelector("[data-say]")?.dataset.say ?? "";

// Has a screen reader say `text`, without moving the focus.
function say(text) {
  document.getElementById("said").textContent = text;
}

function showLoss(error) {
  const lost = document.getElementById("lost");
  lostSince ??= new Date(Date.now() + clockOffset).toISOString();
  const time = document.createElement("time");
  time.dateTime = lostSince;
  time.dataset.age = "";
  const why = error.status ? error.message : "no answer";
  lost.replaceChildren("Connection lost ", time, ` (${why}). The page shows what was true before that, and tries again by itself.`);
  if (lost.hidden) say("Connection lost");
  lost.hidden = false;
  updateAges();
}

async function refresh() {
  if (!document.getElementById("lost")) return;
  clearTimeout(timer);
  asking?.abort();
  const mine = asking = new AbortController();
  try {
    const page = await fetchPage(location.href, pageTag, AbortSignal.any([mine.signal, AbortSignal.timeout(10000)]));
    if (mine.signal.aborted) return;
    failures = 0;
    lostSince = null;
    if (!document.getElementById("lost").hidden) say("Connected again");
    document.getElementById("lost").hidden = true;
    if (page) takeOver(page);
  } catch (error) {
    if (mine.signal.aborted) return;
    if (error.status === 401) return location.reload();
    failures += 1;
    showLoss(error);
  }
  if (!document.hidden) timer = setTimeout(refresh, Math.min(INTERVAL * 2 ** failures, LONGEST_WAIT));
}

// Shows the page at `url` without a new load.
function show(url) {
  history.pushState(null, "", url);
  pageTag = null;
  return refresh();
}

function startLive() {
  if (!document.getElementById("lost")) return;
  said = sentence();
  for (const part of document.querySelectorAll("[data-live]")) shown.set(part.id, contentOf(part));
  timer = setTimeout(refresh, INTERVAL);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden && timer !== null) refresh(); });
addEventListener("popstate", () => { pageTag = null; refresh(); });
document.addEventListener("DOMContentLoaded", startLive);
// A form that only reads, such as a search, changes the address and not the page around it.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "get" || !document.getElementById("lost")) return;
  event.preventDefault();
  show(`?${new URLSearchParams(new FormData(event.target))}`);
});
