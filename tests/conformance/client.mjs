// SPDX-License-Identifier: Apache-2.0
// client.mjs KIND TRANSPORT STEPS: connects a real client and takes the steps, a JSON list on standard input; prints one JSON line for each.
//   KIND: legacy | auto | pinned (client 2.4), sdk (1.32). TRANSPORT: a URL, or a JSON list with a command.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [, , kind, where] = process.argv;
const require = createRequire(pathToFileURL(process.cwd() + '/package.json'));
const load = async (name) => import(pathToFileURL(require.resolve(name)));
const steps = JSON.parse(readFileSync(0, 'utf8'));
const asked = [];
// The person at this client: may approve on the host what the question names (WARDENV_APPROVE: the command, as a JSON list), then answers.
const approve = JSON.parse(process.env.WARDENV_APPROVE ?? 'null');
function reply(message) {
  asked.push(message);
  const id = /approvals approve (\S+?)`/.exec(message)?.[1];
  if (id && approve) execFileSync(approve[0], [...approve.slice(1), id]);
  return answer;
}
let answer = { action: 'accept', content: { name: 'Bob', response: 'yes', ok: true, approve: true } };

async function make() {
  const url = where.startsWith('http') ? new URL(where) : null;
  const [command, ...args] = url ? [] : JSON.parse(where);
  const stdio = { command, args, env: process.env, stderr: 'inherit' };
  if (kind === 'sdk') {
    const { Client } = await load('@modelcontextprotocol/sdk/client/index.js');
    const { ElicitRequestSchema } = await load('@modelcontextprotocol/sdk/types.js');
    const client = new Client({ name: 'sdk', version: '1' }, { capabilities: { elicitation: {} } });
    client.setRequestHandler(ElicitRequestSchema, async (request) => reply(request.params.message));
    const transport = url
      ? new (await load('@modelcontextprotocol/sdk/client/streamableHttp.js')).StreamableHTTPClientTransport(url)
      : new (await load('@modelcontextprotocol/sdk/client/stdio.js')).StdioClientTransport(stdio);
    return { client, transport, call: (params, options) => client.callTool(params, undefined, options) };
  }
  const { Client, StreamableHTTPClientTransport } = await load('@modelcontextprotocol/client');
  const mode = kind === 'pinned' ? { pin: '2026-07-28' } : kind;
  const client = new Client({ name: 'client', version: '1' }, { capabilities: { elicitation: {} }, versionNegotiation: { mode } });
  client.setRequestHandler('elicitation/create', async (request) => reply(request.params.message));
  const transport = url ? new StreamableHTTPClientTransport(url) : new (await load('@modelcontextprotocol/client/stdio')).StdioClientTransport(stdio);
  return { client, transport, call: (params, options) => client.callTool(params, options) };
}

async function take({ client, call }, step) {
  if (step.list) return { tools: (await client.listTools()).tools };
  if (step.answer) return (answer = step.answer), {};
  const progress = [];
  const stop = new AbortController();
  if (step.abort_after) setTimeout(() => stop.abort(), step.abort_after);
  const options = { timeout: 120000, resetTimeoutOnProgress: true, signal: stop.signal };
  if (step.progress) options.onprogress = (event) => progress.push(event.progress);
  const before = asked.length;
  try {
    const result = await call({ name: step.call, arguments: step.arguments ?? {} }, options);
    return { result, progress, asked: asked.slice(before) };
  } catch (error) {
    return { error: String(error.message ?? error), code: error.code, asked: asked.slice(before) };
  }
}

const made = await make();
await made.client.connect(made.transport);
console.log(JSON.stringify({ server: made.client.getServerVersion(), version: made.client.getNegotiatedProtocolVersion?.() }));
for (const step of steps) console.log(JSON.stringify(await take(made, step)));
await made.client.close();
process.exit(0);
