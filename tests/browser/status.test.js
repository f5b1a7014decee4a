// The status page of a gateway, in a browser on its machine and in one elsewhere.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { assertClean, checkLooks, launch, open, tabTo } from "./browser.js";
import { World, echo, eventually } from "./world.js";

const TOKEN = "canary-0123456789abcdef-management-token";
let browser, world, edge;
before(async () => {
  browser = await launch();
  world = await World.start();
  edge = await world.gateway("edge", {
    env: { TENANT: "canary-tenant" },
    management: `token = "${TOKEN}"\n`,
    pipelines: {
      hello: echo("hello"),
      patients: echo("patients", "/fhir").replace('service = "echo"', 'service = "http"\noptions.base_url = "http://127.0.0.1:9/${TENANT}/r4"'),
      scans: echo("scans").replace('service = "http"', 'service = "dicom_scu"'),
    },
  });
});
after(async () => {
  await browser?.close();
  await world?.stop();
});

const text = (page, selector) => page.locator(selector).innerText();
const file = (name) => path.join(edge.directory, "pipelines", `${name}.toml`);

test("one sentence says that all is well, and what is served", async () => {
  const page = await open(browser, `${edge.base}/`);
  await page.waitForURL(`${edge.admin}/`);
  assert.match(await text(page, "h1"), /^In sync with Runbeam Cloud \(127\.0\.0\.1:\d+\), heard (.+ ago|just now), serving generation \d+$/);
  assert.match(await page.title(), /^✓ In sync · edge$/);
  assert.match(await text(page, "#served-list"), /hello[\s\S]*\/hello[\s\S]*echo[\s\S]*served/);
  assert.match(await text(page, "#served-list"), /scans[\s\S]*answers 501[\s\S]*dicom_scu/);
  await tabTo(page, "#q");
  await page.keyboard.type("patients");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/?q=patients");
  await page.locator("#served-list").getByText("/hello").waitFor({ state: "detached" });
  assert.match(await text(page, "#served-list"), /patients[\s\S]*http:\/\/127\.0\.0\.1:9\/\$TENANT\/r4/);
  await page.goBack();
  await page.locator("#served-list").getByText("/hello").waitFor();
  assertClean(page);
  await page.context().close();
});

test("an open page costs the gateway 304s while nothing changes", async () => {
  const page = await open(browser, `${edge.admin}/`, {});
  // The gateway asks its control plane every second, which changes the page; it stops for this test.
  await world.cloudProcess.stop();
  await page.waitForResponse((response) => response.url() === `${edge.admin}/` && response.status() === 304, { timeout: 60000 });
  await world.startCloud();
  await page.locator("h1").getByText(/^In sync with/).waitFor({ timeout: 60000 });
  await page.context().close();
});

test("a broken file is shown without a reload, with its place and remedy", async () => {
  const page = await open(browser, `${edge.admin}/`);
  const good = fs.readFileSync(file("hello"), "utf8");
  fs.writeFileSync(file("hello"), good.replace('endpoints = ["hello"]', 'endpoints = ["helo"]'));
  await page.locator("h1").getByText("Serving the last good configuration: pipelines/hello.toml:3 is broken").waitFor();
  assert.match(await text(page, "#attention"), /problem[\s\S]*pipelines\/hello\.toml:3[\s\S]*helo[\s\S]*Remedy:/);
  assert.equal(await text(page, "#said"), "Files rejected", "a screen reader is told");
  await checkLooks(page, "status-broken");
  fs.writeFileSync(file("hello"), good);
  await page.locator("h1").getByText(/^In sync with/).waitFor();
  assertClean(page);
  await page.context().close();
});

test("a rejected change is named with its class and reason", async () => {
  const page = await open(browser, `${edge.admin}/`);
  const { change_id: id } = await world.send("edge", "pipeline", echo("bad").replace('endpoints = ["bad"]', 'endpoints = ["none"]'));
  await page.locator("h1").getByText(new RegExp(`^Not in sync: pipeline change ${id} rejected \\(`)).waitFor();
  assert.match(await text(page, "#attention"), /rejected[\s\S]*none[\s\S]*Remedy:/);
  await world.settled((await world.send("edge", "pipeline", echo("bad"))).change_id);
  await page.locator("h1").getByText(/^In sync with/).waitFor();
  assertClean(page);
  await page.context().close();
});

test("every action works by keyboard, and the focus stays where it was", async () => {
  const page = await open(browser, `${edge.admin}/`);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip", "the first stop");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => location.hash), "#main");
  for (const [button, outcome] of [["#act-reload", "already serves these files"], ["#act-sync", "0 applied, 0 rejected, 0 deferred"]]) {
    await tabTo(page, button);
    await page.keyboard.press("Enter");
    await page.locator("#outcome").getByText(outcome).waitFor();
    // The verdict is replaced when the gateway has asked again, with the button in it.
    await page.waitForResponse((response) => response.url().startsWith(`${edge.admin}/`) && response.status() === 200);
    assert.equal(await page.evaluate(() => `#${document.activeElement.id}`), button, "the focus");
  }
  await page.locator("#theme").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(15, 19, 24)", "dark");
  await page.reload();
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(15, 19, 24)", "still dark");
  assertClean(page);
  await page.context().close();
});

test("what a new state cannot know is said, and accepted by keyboard", async () => {
  const fresh = await world.gateway("fresh", { unknown: true });
  const page = await open(browser, `${fresh.admin}/`);
  await page.locator("h1").getByText("In sync is not known").waitFor();
  assert.match(await text(page, "#verdict"), /newer than its token/);
  await tabTo(page, "#act-accept");
  await page.keyboard.press("Enter");
  assert.match(await text(page, "#ask-question"), /Accept that the state of this gateway is new\?/);
  await tabTo(page, "#ask-yes");
  await page.keyboard.press("Enter");
  await page.locator("h1").getByText(/^In sync with/).waitFor();
  assertClean(page);
  await page.context().close();
});

test("a browser elsewhere enters the token once", async () => {
  // A proxy in front of the gateway: its clients are not on this machine, whatever its own address is.
  const page = await open(browser, `${edge.admin}/`, { extraHTTPHeaders: { Via: "1.1 proxy" } });
  assert.equal(await page.title(), "Harmony gateway");
  assert.doesNotMatch(await page.content(), /edge/, "nothing of the gateway");
  await checkLooks(page, "status-token");
  await tabTo(page, "#token");
  await page.keyboard.type("wrong");
  await page.keyboard.press("Enter");
  await page.locator("#token-error").getByText("The gateway refused this token.").waitFor();
  assert.equal(await page.locator("#token").getAttribute("aria-invalid"), "true");
  await page.locator("#token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.locator("h1").getByText(/^In sync with/).waitFor();
  await tabTo(page, "#act-reload");
  await page.keyboard.press("Enter");
  await page.locator("#outcome").getByText("already serves these files").waitFor();
  await page.reload();
  await page.locator("h1").getByText(/^In sync with/).waitFor();
  await tabTo(page, "#forget");
  await page.keyboard.press("Enter");
  await page.locator("#signin").waitFor();
  page.faults = page.faults.filter((fault) => !fault.includes("401"));
  assertClean(page);
  await page.context().close();
});

test("a page of another site can neither read the status nor send an action", async () => {
  const other = http.createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html><title>other</title>"));
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  const context = await browser.newContext();
  const page = await context.newPage();
  const statuses = [];
  page.on("response", (response) => { if (response.request().method() !== "GET") statuses.push(response.status()); });
  await page.goto(`http://127.0.0.1:${other.address().port}/`);
  const read = await page.evaluate((url) => fetch(url).then(() => "read", () => "refused"), `${edge.admin}/provider`);
  assert.equal(read, "refused");
  const sent = await page.evaluate((url) => fetch(url, { method: "POST", mode: "no-cors", body: "{}" }).then(({ type }) => type), `${edge.admin}/reload`);
  assert.equal(sent, "opaque");
  await page.evaluate((action) => {
    const form = Object.assign(document.createElement("form"), { method: "post", action });
    document.body.append(form);
    form.submit();
  }, `${edge.admin}/reload`);
  await page.waitForURL("**/reload");
  assert.match(await page.content(), /cross-site requests are rejected/);
  assert.deepEqual(statuses, [403, 403]);
  // A name that is pointed to this machine (DNS rebinding) is no Host of the gateway, with or without its token.
  const rebound = http.request({ port: new URL(edge.admin).port, host: "127.0.0.1", path: "/admin/", headers: { Host: "evil.example", Accept: "text/html" } }).end();
  const [answer] = await once(rebound, "response");
  assert.equal(answer.statusCode, 403);
  answer.resume();
  await context.close();
  other.close();
});

test("the page reads without script, shows no secret and looks as it should", async () => {
  const still = await open(browser, `${edge.admin}/?q=hello`, { javaScriptEnabled: false });
  assert.match(await text(still, "h1"), /^In sync with Runbeam Cloud/);
  assert.match(await text(still, "#served-list"), /\/hello/);
  assert.equal(await still.locator("#act-sync").isVisible(), false, "a button that needs script");
  await still.context().close();
  const page = await open(browser, `${edge.admin}/`);
  const answer = await page.request.get(`${edge.admin}/`, { headers: { Accept: "text/html" } });
  const policy = answer.headers()["content-security-policy"];
  assert.ok(policy.startsWith("default-src 'none'") && !policy.includes("unsafe"), policy);
  for (const secret of ["canary", "machine_"]) assert.ok(!(await answer.text()).includes(secret), secret);
  await checkLooks(page, "status");
  assertClean(page);
  await page.context().close();
});

test("a lost connection is said, and the page comes back by itself", async () => {
  const page = await open(browser, `${edge.admin}/`);
  await edge.process.stop();
  await page.locator("#lost").getByText("Connection lost").waitFor();
  edge.start();
  await page.locator("#lost").waitFor({ state: "hidden", timeout: 60000 });
  await page.locator("h1").getByText(/^In sync with/).waitFor();
  await page.context().close();
});
