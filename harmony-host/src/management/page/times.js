// The ages of times. They are counted by the clock of the server, which may not be the one of this machine.
let clockOffset = 0;

function setServerClock(now) {
  if (now) clockOffset = Date.parse(now) - Date.now();
}

function ageInWords(seconds) {
  const ahead = seconds < 0;
  const count = Math.floor(Math.abs(seconds));
  const [number, unit] = count < 60 ? [count, "s"] : count < 3600 ? [Math.floor(count / 60), "min"]
    : count < 172800 ? [Math.floor(count / 3600), "h"] : [Math.floor(count / 86400), "days"];
  if (count === 0) return ahead ? "in a moment" : "just now";
  return ahead ? `in ${number} ${unit}` : `${number} ${unit} ago`;
}

function updateAges() {
  const now = Date.now() + clockOffset;
  for (const time of document.querySelectorAll("time[data-age]")) {
    const words = ageInWords((now - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== words) time.textContent = words;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  setServerClock(document.body.dataset.now);
  updateAges();
  setInterval(updateAges, 1000);
});
