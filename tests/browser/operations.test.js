// The parts of the status page that come from other calls of the management API: generations and the way back, the way of a
// URL, and numbers. A test is left out where the gateway does not have the call.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { assertClean, checkLooks, launch, open, tabTo } from "./browser.js";
import { World, echo, screenshots } from "./world.js";

let browser, world, edge;
before(async () => {
  browser = await launch();
  world = await World.start();
  edge = await world.gateway("edge", { pipelines: { hello: echo("hello") } });
});
after(async () => {
  await browser?.close();
  await world?.stop();
});

const text = (page, selector) => page.locator(selector).innerText();
const served = (prefix, gateway = edge) => fetch(`http://127.0.0.1:${gateway.open}${prefix}`).then(({ status }) => status);

// Whether the gateway has the call `operation`; leaves the test out if not.
async function has(context, operation) {
  const { status } = await fetch(`${edge.admin}/${operation}`);
  if (status === 404) context.skip(`this gateway does not have GET ${operation}`);
  return status !== 404;
}

// Sends the form of the focused button or field, and answers the question with yes.
async function confirm(page, question, key) {
  await page.keyboard.press(key);
  await page.locator("#ask-question").getByText(question).waitFor();
  await tabTo(page, "#ask-yes");
  await page.keyboard.press("Enter");
}

test("an edit is a generation with its cause, and the one before is restored by keyboard", async (context) => {
  if (!await has(context, "history")) return;
  const page = await open(browser, `${edge.admin}/`);
  const first = (await edge.status()).effective.generation;
  await world.settled((await world.send("edge", "pipeline", echo("images", "/dicom-web"))).change_id);
  await page.locator("#generations li.generation:first-child").getByText(/pipeline change/).waitFor();
  assert.match(await text(page, "#generations li.generation:first-child"), /images[\s\S]*served/);
  fs.writeFileSync(path.join(edge.directory, "pipelines", "hello.toml"), echo("hello").replace('["hello"]', '["helo"]'));
  await page.locator("#generations li.generation:first-child").getByText(/rejected \(/).waitFor();
  fs.writeFileSync(path.join(edge.directory, "pipelines", "hello.toml"), echo("hello"));
  await page.locator("h1").getByText(/^In sync/).waitFor();
  await checkLooks(page, "status-generations");

  assert.equal(await served("/dicom-web"), 200);
  await tabTo(page, `#roll-back-${first}`);
  await page.keyboard.press("Enter");
  await page.locator("#ask-question").getByText(`Roll back to generation ${first}?`).waitFor();
  assert.match(await text(page, "#ask-foreseen"), /images/, "the dialog says what changes");
  await page.screenshot({ path: path.join(screenshots, "status-roll-back.png") });
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.id), `roll-back-${first}`);
  await page.keyboard.press("Enter");
  await page.locator("#ask-question").getByText(`Roll back to generation ${first}?`).waitFor();
  await tabTo(page, "#ask-yes");
  await page.keyboard.press("Enter");
  await page.locator("#generations li.generation:first-child").getByText(/rollback to/).waitFor();
  assert.equal(await served("/dicom-web"), 404);
  assertClean(page);
  await page.context().close();
});

test("a URL is explained: the route that it takes, and why not another", async (context) => {
  if (!await has(context, "explain?what=/")) return;
  const page = await open(browser, `${edge.admin}/`);
  await tabTo(page, "#q");
  await page.keyboard.type(`http://127.0.0.1:${edge.open}/hello/world?name=canary`);
  await page.keyboard.press("Enter");
  await page.locator("#explanation").getByText("route", { exact: true }).waitFor();
  assert.match(await text(page, "#explanation"), /on network public[\s\S]*\/hello[\s\S]*Leads to/);
  await checkLooks(page, "status-explained");
  await page.locator("#q").fill("/nothing-here");
  await page.keyboard.press("Enter");
  await page.locator("#explanation").getByText("no route").first().waitFor();
  assertClean(page);
  await page.context().close();
});

test("changes are paused with a reason and resumed, by keyboard and without a reload", async () => {
  // Another gateway: this one is in sync, since nothing was rolled back on it.
  const calm = await world.gateway("calm", { pipelines: { hello: echo("hello") } });
  const page = await open(browser, `${calm.admin}/`);
  await page.evaluate(() => { globalThis.isTheSame = true; });
  await page.locator("#changes").getByText("as they come").waitFor();
  await page.locator("h1").getByText(/^In sync/).waitFor();
  // A reason is required: the browser says so beside the field, and nothing is sent.
  await tabTo(page, "#act-pause");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "pause-reason");
  assert.equal(await page.locator("#ask").isVisible(), false);
  // Blanks are a reason for the browser, not for the gateway.
  await page.keyboard.type("  ");
  await confirm(page, "Pause the changes of the control plane?", "Enter");
  await page.locator("#pause-error").getByText("`reason` is empty").waitFor();
  assert.equal(await page.locator("#pause-reason").getAttribute("aria-invalid"), "true");
  page.faults = page.faults.filter((fault) => !fault.includes("422"));

  await page.locator("#pause-reason").focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("a migration <b>tonight</b>");
  await tabTo(page, "#pause-end");
  await page.keyboard.press("ArrowDown");
  await tabTo(page, "#act-pause");
  await page.keyboard.press("Enter");
  await page.locator("#ask-question").getByText("Pause the changes of the control plane?").waitFor();
  await page.keyboard.press("Escape");
  assert.equal((await calm.status()).paused, null, "no is an answer");
  assert.equal(await page.evaluate(() => document.activeElement.id), "act-pause");
  assert.equal(await page.locator("#pause-reason").inputValue(), "a migration <b>tonight</b>");
  await confirm(page, "Pause the changes of the control plane?", "Enter");
  await page.locator("#changes").getByText("a migration <b>tonight</b>").waitFor();
  assert.match(await text(page, "#changes"), /paused[\s\S]*by 127\.0\.0\.1, until .* \(in \d+ min\)[\s\S]*No change waits\.[\s\S]*Resume/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "act-pause", "the focus stays on the button");
  const { paused } = await calm.status();
  assert.ok(Date.parse(paused.until) - Date.parse(paused.since) === 1800000, JSON.stringify(paused));

  const { change_id: id } = await world.send("calm", "pipeline", echo("late", "/late"));
  await page.locator("#changes").getByText("1 change waits.").waitFor();
  await page.locator("h1").getByText(/^Not in sync/).waitFor();
  await checkLooks(page, "status-paused");
  assert.equal(await served("/late", calm), 404);
  await page.locator("#main").focus();
  await tabTo(page, "#act-pause");
  await confirm(page, "Resume the changes of the control plane?", "Enter");
  await page.locator("#changes").getByText("as they come").waitFor();
  await world.settled(id);
  assert.equal(await served("/late", calm), 200);
  await page.locator("h1").getByText(/^In sync/).waitFor();
  assert.equal(await page.locator("#pause-reason").inputValue(), "", "the form is empty again");
  assert.equal(await page.evaluate(() => document.activeElement.id), "act-pause");
  assert.equal(await page.evaluate(() => globalThis.isTheSame), true, "without a reload");
  assertClean(page);
  await page.context().close();
});

test("a pause from the command line appears on an open page", async () => {
  const page = await open(browser, `${edge.admin}/`);
  const post = (path, body) => fetch(`${edge.admin}/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  assert.equal((await post("sync/pause", { reason: "a look at the disk", by: "olivia" })).status, 200);
  await page.locator("#changes").getByText("a look at the disk").waitFor();
  assert.match(await text(page, "#changes"), /by olivia \(127\.0\.0\.1\), until it is resumed/);
  assert.equal((await post("sync/resume", {})).status, 200);
  await page.locator("#changes").getByText("as they come").waitFor();
  assertClean(page);
  await page.context().close();
});

test("requests and refusals are counted", async (context) => {
  if (!await has(context, "metrics")) return;
  for (let count = 0; count < 5; count += 1) await served("/hello");
  await served("/nothing-here");
  const page = await open(browser, `${edge.admin}/`);
  await page.locator("#numbers").filter({ hasText: /2xx\s*[5-9]/ }).waitFor();
  assert.match(await text(page, "#numbers"), /no route/);
  await page.locator("#numbers").scrollIntoViewIfNeeded();
  await checkLooks(page, "status-numbers");
  assertClean(page);
  await page.context().close();
});
