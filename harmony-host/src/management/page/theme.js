"use strict";
// The theme: that of the system, or the one that was chosen on this machine. Runs before the first paint.
const THEME = "harmony.theme";

function applyTheme() {
  const chosen = localStorage.getItem(THEME);
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
}

document.documentElement.dataset.script = "on";
applyTheme();
document.addEventListener("DOMContentLoaded", () => {
  const select = document.getElementById("theme");
  select.value = localStorage.getItem(THEME) || "";
  select.addEventListener("change", () => {
    if (select.value) localStorage.setItem(THEME, select.value);
    else localStorage.removeItem(THEME);
    applyTheme();
  });
});
