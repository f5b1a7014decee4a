// The world of a test: a control plane and gateways as processes of their own, in a directory of their own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../..");
const binaries = process.env.HARMONY_BINARIES ?? path.join(process.env.CARGO_TARGET_DIR ?? path.join(root, "target"), "debug");
export const screenshots = path.join(root, "target/screenshots");
export const documented = process.env.UPDATE_SCREENSHOTS ? path.join(root, "docs/screenshots") : screenshots;

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// Waits until `check` returns a value. An error of it counts as no value.
export async function eventually(what, check, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < end) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not within ${seconds} s, last: ${last}`);
}

export async function json(url, body, headers = {}) {
  const options = body === undefined ? { headers }
    : { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) };
  const response = await fetch(url, options);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.json();
}

// A process with its output in a file.
class Program {
  constructor(name, directory, binary, args, env = {}) {
    this.log = path.join(directory, `${name}.log`);
    const log = fs.openSync(this.log, "a");
    const environment = { ...process.env, HOME: directory, ...env };
    this.process = spawn(path.join(binaries, binary), args, { stdio: ["ignore", log, log], env: environment });
    this.exited = once(this.process, "exit");
  }

  // Waits until it has ended. One that has ended before is fine.
  async stop() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill("SIGTERM");
    await this.exited;
  }
}

const network = (name, port) => `[network.${name}.http]\nbind_address = "127.0.0.1"\nbind_port = ${port}\n\n`;

export const echo = (name, prefix = `/${name}`) =>
  `[pipelines.${name}]\nnetworks = ["public"]\nendpoints = ["${name}"]\nbackends = ["${name}"]\n\n` +
  `[endpoints.${name}]\nservice = "http"\noptions.path_prefix = "${prefix}"\n\n[backends.${name}]\nservice = "echo"\n`;

export class World {
  static async start() {
    const world = new World();
    world.directory = fs.mkdtempSync(path.join(os.tmpdir(), "harmony-pages-"));
    world.port = await freePort();
    world.cloud = `http://127.0.0.1:${world.port}`;
    world.gateways = [];
    await world.startCloud();
    return world;
  }

  async startCloud() {
    const data = path.join(this.directory, "cloud.json");
    const args = ["--listen", `127.0.0.1:${this.port}`, "--seed", "demo", "--data", data];
    this.cloudProcess = new Program("cloud", this.directory, "control-plane", args);
    await eventually("the control plane answers", () => json(`${this.cloud}/dev/state`));
  }

  async authorize(code) {
    const program = spawn(path.join(binaries, "control-plane"), ["authorize", "--team", "radiology-dept", "--code", code, "--url", this.cloud]);
    let output = "";
    program.stdout.on("data", (data) => { output += data; });
    await once(program, "close");
    return output.trim();
  }

  // Starts a gateway that syncs with the control plane, and waits until it is in sync, or `unknown` with a bare token.
  async gateway(code, { management = "", env = {}, pipelines = {}, unknown = false } = {}) {
    const issued = await this.authorize(code);
    const token = unknown ? JSON.parse(issued).machine_token : issued;
    const directory = path.join(this.directory, code);
    const [open, admin] = [await freePort(), await freePort()];
    const gateway = { code, directory, open, base: `http://127.0.0.1:${admin}`, admin: `http://127.0.0.1:${admin}/admin` };
    gateway.config = path.join(directory, "config.toml");
    fs.mkdirSync(path.join(directory, "pipelines"), { recursive: true });
    for (const [name, text] of Object.entries(pipelines)) fs.writeFileSync(path.join(directory, "pipelines", `${name}.toml`), text, { mode: 0o600 });
    fs.writeFileSync(gateway.config, '# This comment stays.\n[proxy]\n' + `id = "${code}"\nprimary_provider = "runbeam"\n\n` +
      `[provider.runbeam]\napi = "${this.cloud}"\npoll_interval_secs = 1\n\n` + network("public", open) + network("management", admin) +
      `[management]\nenabled = true\nnetwork = "management"\n${management}`, { mode: 0o600 });
    gateway.start = () => {
      const environment = { RUNBEAM_MACHINE_TOKEN: token, RUNBEAM_PUSH_CONFIG_ON_STARTUP: "true", ...env };
      gateway.process = new Program(code, directory, "harmony-host", ["run", "--config", gateway.config], environment);
    };
    gateway.status = (headers) => json(`${gateway.admin}/provider`, undefined, headers);
    gateway.start();
    this.gateways.push(gateway);
    await eventually(`${code} syncs`, async () => {
      const status = await gateway.status();
      return (unknown ? status.unknown : status.in_sync) && status.sync.heard_at;
    }).catch((error) => { throw new Error(`${error.message}\n${fs.readFileSync(gateway.process.log, "utf8")}`); });
    return gateway;
  }

  // Sends a document to a gateway, as the page does.
  async send(code, type, toml) {
    const { gateways } = await json(`${this.cloud}/dev/state`);
    const gateway = gateways.find((one) => one.code === code);
    const known = gateway.documents.find((one) => one.type === type && toml.includes(`.${one.name}]`));
    return json(`${this.cloud}/dev/documents`, { gateway_id: gateway.id, type, toml, ...(known && { id: known.id }) });
  }

  async settled(id) {
    return eventually(`the change ${id} has a verdict`, async () => {
      const { changes } = await json(`${this.cloud}/dev/state`);
      return changes.find((one) => one.id === id && ["applied", "failed"].includes(one.status));
    });
  }

  // The polls of a gateway so far, from the output of the control plane.
  polls() {
    const lines = fs.readFileSync(path.join(this.directory, "cloud.log"), "utf8").split("\n");
    return lines.filter((line) => line.includes("/harmony/changes/")).length;
  }

  async stop() {
    for (const gateway of this.gateways) await gateway.process.stop();
    await this.cloudProcess.stop();
    fs.rmSync(this.directory, { recursive: true });
  }
}
