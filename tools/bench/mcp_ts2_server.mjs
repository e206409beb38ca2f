// SPDX-License-Identifier: Apache-2.0
// The current TypeScript SDK with one tool that echoes, as its documentation serves one. mcp_ts2_server.mjs stdio | http PORT
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const folder = process.cwd();
const load = async (name) => {
  const found = createRequire(pathToFileURL(folder + '/package.json')).resolve(name);
  return import(pathToFileURL(found));
};
const { McpServer, createMcpHandler } = await load('@modelcontextprotocol/server');
const { z } = await load('zod');

function make() {
  const server = new McpServer({ name: 'ts2', version: '1' }, { capabilities: { tools: {} } });
  server.registerTool('echo', { description: 'echoes', inputSchema: z.object({ message: z.string() }) }, async ({ message }) => ({ content: [{ type: 'text', text: message }] }));
  return server;
}

if (process.argv[2] === 'stdio') {
  const { serveStdio } = await load('@modelcontextprotocol/server/stdio');
  serveStdio(make);
} else {
  const { serve } = await load('@hono/node-server');
  const handler = createMcpHandler(make);
  serve({ fetch: (request) => handler.fetch(request), port: Number(process.argv[3]), hostname: '127.0.0.1' }, () => console.error('ready'));
}
