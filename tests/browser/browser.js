// The browser of the tests, and what every page must hold in it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";
import { documented, screenshots } from "./world.js";

const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

function executable() {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("which", [name], { encoding: "utf8" }).trim();
    } catch { /* the next one */ }
  }
  throw new Error("there is no Chromium");
}

export async function launch() {
  // Chromium has no sandbox for root, as which containers often run.
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: executable(), args: [...args, "--disable-gpu", "--disable-quic"] });
}

// Opens a page whose every request goes to `origin`, and that has no error in its console.
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30000);
  page.faults = [];
  page.on("console", (message) => { if (message.type() === "error") page.faults.push(message.text()); });
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("request", (request) => { if (!request.url().startsWith(new URL(url).origin)) page.faults.push(`a request to ${request.url()}`); });
  await page.goto(url);
  return page;
}

// Fails for errors in the console and for requests to other origins. A test removes the faults that it causes.
export function assertClean(page) {
  assert.deepEqual(page.faults.filter((fault) => !fault.startsWith("a request to data:")), []);
}

// Moves the focus with the tab key until it is on `selector`, and checks that it is seen there.
export async function tabTo(page, selector, limit = 150) {
  for (let presses = 0; presses < limit; presses += 1) {
    await page.keyboard.press("Tab");
    const is = await page.evaluate((selector) => {
      const on = document.activeElement;
      if (!on?.matches(selector)) return null;
      const seen = (element) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
      };
      return { isSeen: seen(on) || seen(on.parentElement) };
    }, selector);
    if (is) return assert.ok(is.isSeen, `the focus is not visible on ${selector}`);
  }
  assert.fail(`the tab key does not reach ${selector}`);
}

// Has axe-core check the page; returns nothing, and fails for serious and critical findings.
async function assertAccessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const bad = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const told = bad.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(told, [], where);
}

// Nothing may be wider than the window; a scrolling text field may.
async function assertFits(page, where) {
  const wide = await page.evaluate(() => {
    const limit = document.documentElement.clientWidth;
    const isInside = (element) => element.closest("textarea, .unseen, .skip, dialog");
    return [...document.querySelectorAll("body *")]
      .filter((element) => !isInside(element) && element.getBoundingClientRect().right > limit + 1)
      .map((element) => element.outerHTML.slice(0, 120));
  });
  assert.deepEqual(wide, [], where);
}

// The states whose pictures are in the documents.
const DOCUMENTED = new Set(["status", "status-broken", "status-generations", "status-paused", "control-plane-failed"]);

// Checks the page as it is now in three widths and both themes, and takes pictures.
export async function checkLooks(page, name) {
  const directory = DOCUMENTED.has(name) ? documented : screenshots;
  fs.mkdirSync(directory, { recursive: true });
  for (const width of [1280, 390, 360]) {
    for (const theme of ["light", "dark"]) {
      await page.setViewportSize({ width, height: width === 1280 ? 900 : 844 });
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      const where = `${name} at ${width} px, ${theme}`;
      await assertFits(page, where);
      await assertAccessible(page, where);
      if (width !== 360) await page.screenshot({ path: path.join(directory, `${name}-${width}-${theme}.png`), fullPage: true });
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}
