// The page of the development control plane: every action by keyboard alone, on real gateways.
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { assertClean, checkLooks, launch, open, tabTo } from "./browser.js";
import { World, echo, eventually, json } from "./world.js";

let browser, world, edge;
before(async () => {
  browser = await launch();
  world = await World.start();
  edge = await world.gateway("edge");
});
after(async () => {
  await browser?.close();
  await world?.stop();
});

const editor = "#document-toml";
const text = (page, selector) => page.locator(selector).innerText();
const newest = "#change-rows > li:first-child";
const isApplied = (page, document) => page.locator(`${newest}:has(a:text-is("${document}")) .status`).getByText("applied").waitFor();

// Saves the document in the editor, as a person without a mouse does.
async function save(page) {
  await tabTo(page, "#document-save");
  await page.keyboard.press("Enter");
}

test("a document is written, sent, applied and deleted by keyboard", async () => {
  const page = await open(browser, `${world.cloud}/`);
  await tabTo(page, "#open-edge");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/?gateway=edge");
  await tabTo(page, "#new-pipeline");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/?gateway=edge&new=pipeline#editor");
  await tabTo(page, editor);
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(echo("hello"));
  await save(page);
  await page.waitForURL("**/?gateway=edge&document=pipeline%2Fhello");
  await isApplied(page, "hello");
  assert.equal((await fetch(`http://127.0.0.1:${edge.open}/hello`)).status, 200);
  const steps = await page.locator(`${newest} .steps .state`).allTextContents();
  assert.deepEqual(steps, ["✓pending", "✓acknowledged", "✓applied"], "the timeline");

  await tabTo(page, "#document-delete");
  await page.keyboard.press("Enter");
  assert.match(await text(page, "#ask-question"), /Delete the pipeline hello\?/);
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.id), "document-delete", "the focus comes back");
  await page.keyboard.press("Enter");
  await tabTo(page, "#ask-yes");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/?gateway=edge");
  await page.locator("#outcome").getByText("The document is deleted here.").waitFor();
  assert.equal(await page.locator("#documents").getByRole("link", { name: "hello" }).count(), 0);
  assertClean(page);
  await page.context().close();
});

test("unsaved text is kept over reloads until it is discarded", async () => {
  const page = await open(browser, `${world.cloud}/?gateway=edge&new=pipeline`);
  await page.locator(editor).fill("# half a thought");
  await page.locator("#gateway-name").fill("Edge of the hospital");
  await page.reload();
  assert.equal(await page.locator(editor).inputValue(), "# half a thought");
  assert.equal(await page.locator("#gateway-name").inputValue(), "Edge of the hospital");
  assert.match(await text(page, "#document-form [data-draft-note]"), /Your unsaved edits from .* are back/);
  // The page is asked for again and again meanwhile, and takes nothing away.
  await page.waitForResponse((response) => response.url().includes("gateway=edge"));
  assert.equal(await page.locator(editor).inputValue(), "# half a thought");
  for (const form of ["#document-form", "#gateway-form"]) {
    await tabTo(page, `${form} [data-discard]`);
    await page.keyboard.press("Enter");
  }
  assert.match(await page.locator(editor).inputValue(), /^\[pipelines\.new-pipeline\]/);
  await page.reload();
  assert.match(await page.locator(editor).inputValue(), /^\[pipelines\.new-pipeline\]/);
  assert.equal(await page.locator("#gateway-name").inputValue(), "edge");
  assertClean(page);
  await page.context().close();
});

test("a mistake is shown beside the text, with its line marked", async () => {
  const page = await open(browser, `${world.cloud}/?gateway=edge&new=pipeline`);
  await page.locator(editor).fill('[pipelines.broken]\nnetworks = ["public"]\nendpoints = [\n');
  await save(page);
  await page.locator("#document-error").getByText(/^Line \d+: /).waitFor();
  const line = Number((await text(page, "#document-error")).match(/Line (\d+)/)[1]);
  assert.equal((await text(page, ".editor .lines b")).trim(), `✕ ${line}`);
  assert.equal(await page.locator(editor).getAttribute("aria-invalid"), "true");
  assert.match(await text(page, "#outcome"), /not TOML/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "document-toml");

  // The gateway rejects what is TOML and names an endpoint that does not exist.
  await page.locator(editor).fill(echo("broken").replace('endpoints = ["broken"]', 'endpoints = ["brokn"]'));
  await save(page);
  await page.locator(`${newest} .reason`).waitFor();
  assert.match(await text(page, newest), /failed[\s\S]*brokn/);
  await page.locator(".editor .lines b").getByText("✕ 3").waitFor();
  assert.match(await text(page, "h1"), /edge rejected its last change/);
  page.faults = page.faults.filter((fault) => !fault.includes("422"));
  await checkLooks(page, "control-plane-failed");
  assertClean(page);

  await page.locator(editor).fill(echo("broken"));
  await save(page);
  await page.locator("h1").getByText("edge is in sync").waitFor();
  assert.equal(await page.locator(".editor .lines b").count(), 0);
  await page.context().close();
});

test("the Primary Provider is set to Local, and the gateway stops asking", async () => {
  const page = await open(browser, `${world.cloud}/?gateway=edge`);
  const labels = await page.locator("#gateway-primary-provider option").allInnerTexts();
  assert.deepEqual(labels, ["Runbeam Cloud (default)", "Local"]);
  await page.getByText("The gateway asks every 1 s.").waitFor();
  assert.equal(await page.locator("#gateway-poll-interval").inputValue(), "1", "the real interval");
  await tabTo(page, "#gateway-primary-provider");
  await page.keyboard.press("ArrowDown");
  await tabTo(page, "#gateway-save");
  await page.keyboard.press("Enter");
  await eventually("the gateway switches to local", async () => (await edge.status()).provider.name === "local");
  await isApplied(page, "config");
  await page.locator("#gateway-edge .sync").getByText("provider local, does not ask").waitFor();
  const before = world.polls();
  assert.ok(fs.readFileSync(edge.config, "utf8").startsWith("# This comment stays.\n"));
  const status = await edge.status();
  assert.deepEqual([status.sync, status.provider.polling], [null, "disabled"]);
  // Longer than three intervals: nothing but time shows that it does not ask.
  await new Promise((resolve) => setTimeout(resolve, 3500));
  assert.equal(world.polls(), before, "polls after the switch to Local");
  // A local gateway does not ask, so the way back is an edit by hand.
  fs.writeFileSync(edge.config, fs.readFileSync(edge.config, "utf8").replace('primary_provider = "local"', 'primary_provider = "runbeam"'));
  await eventually("the gateway syncs again", async () => (await edge.status()).provider.name === "runbeam" && world.polls() > before);
  await eventually("the gateway is in sync", async () => (await edge.status()).in_sync);
  assertClean(page);
  await page.context().close();
});

test("a dead gateway is shown as dead, a revoked one as revoked", async () => {
  const dying = await world.gateway("dying");
  const page = await open(browser, `${world.cloud}/?gateway=dying`);
  await page.locator("#gateway-dying .sync").getByText("in sync").waitFor();
  await dying.process.stop();
  await page.locator("#gateway-dying .sync").getByText("silent").waitFor({ timeout: 60000 });
  await page.locator("h1").getByText(/dying is silent/).waitFor();
  await tabTo(page, "#gateway-revoke");
  await page.keyboard.press("Enter");
  assert.match(await text(page, "#ask-question"), /Revoke all tokens of the gateway dying\?/);
  await tabTo(page, "#ask-yes");
  await page.keyboard.press("Enter");
  await page.locator("#gateway-dying .sync").getByText("has no valid token").waitFor();
  await tabTo(page, "#gateway-delete");
  await page.keyboard.press("Enter");
  assert.match(await text(page, "#ask-question"), /Delete the gateway dying\?/);
  await tabTo(page, "#ask-yes");
  await page.keyboard.press("Enter");
  await page.locator("#gateway-dying").waitFor({ state: "detached" });
  assertClean(page);
  await page.context().close();
});

test("a lost connection is said, and the text of the editor outlives it", async () => {
  const page = await open(browser, `${world.cloud}/?gateway=edge&new=mesh`);
  await page.locator(editor).fill("# written while the control plane was away");
  await world.cloudProcess.stop();
  await page.locator("#lost").getByText("Connection lost").waitFor();
  assert.equal(await text(page, "#said"), "Connection lost");
  await save(page);
  await page.locator("#outcome").getByText("Nothing was sent: there is no connection.").waitFor();
  await world.startCloud();
  await page.locator("#lost").waitFor({ state: "hidden", timeout: 60000 });
  assert.equal(await page.locator(editor).inputValue(), "# written while the control plane was away");
  await page.context().close();
});

test("the page reads without script and looks as it should", async () => {
  await world.send("edge", "pipeline", echo("studies"));
  await world.settled((await world.send("edge", "pipeline", echo("images", "/dicom-web"))).change_id);
  await world.authorize("ward-7");
  const still = await open(browser, `${world.cloud}/?gateway=edge&document=pipeline/studies`, { javaScriptEnabled: false });
  assert.match(await text(still, "#gateway-rows"), /ward-7[\s\S]*has a token, never came/);
  assert.match(await still.locator(editor).inputValue(), /pipelines\.studies/);
  assert.equal(await still.locator("#document-save").isVisible(), false, "a button that needs script");
  await still.context().close();

  const page = await open(browser, `${world.cloud}/?gateway=edge&document=pipeline/studies`);
  await page.locator("#gateway-edge .sync").getByText("in sync").waitFor();
  await checkLooks(page, "control-plane");
  await page.goto(`${world.cloud}/`);
  await checkLooks(page, "control-plane-all");
  const begun = await json(`${world.cloud}/cli/start-login`, {});
  await page.goto(begun.verification_url);
  await checkLooks(page, "control-plane-login");
  await tabTo(page, "#login-approve");
  await page.keyboard.press("Enter");
  await page.locator("#outcome").getByText("Approved. You can go back to the command line.").waitFor();
  assert.equal((await json(`${world.cloud}/cli/check-login/${begun.device_token}`)).status, "authenticated");
  assertClean(page);
  await page.context().close();
});
