// SPDX-License-Identifier: Apache-2.0
// The TypeScript SDK with one tool that echoes: what wardenv serve is measured against. mcp_ts_server.mjs stdio | http PORT
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(pathToFileURL(process.cwd() + '/package.json'));
const load = async (name) => import(pathToFileURL(require.resolve(name)));
const { McpServer } = await load('@modelcontextprotocol/sdk/server/mcp.js');
const { z } = await load('zod');

function make() {
  const server = new McpServer({ name: 'ts', version: '1' });
  server.registerTool('echo', { description: 'echoes', inputSchema: { message: z.string() } }, async ({ message }) => ({ content: [{ type: 'text', text: message }] }));
  return server;
}

if (process.argv[2] === 'stdio') {
  const { StdioServerTransport } = await load('@modelcontextprotocol/sdk/server/stdio.js');
  await make().connect(new StdioServerTransport());
} else {
  const { StreamableHTTPServerTransport } = await load('@modelcontextprotocol/sdk/server/streamableHttp.js');
  const sessions = new Map();
  createServer(async (request, response) => {
    let transport = sessions.get(request.headers['mcp-session-id']);
    if (!transport) {
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID, enableJsonResponse: true, onsessioninitialized: (id) => sessions.set(id, transport),
      });
      await make().connect(transport);
    }
    await transport.handleRequest(request, response);
  }).listen(Number(process.argv[3]), '127.0.0.1', () => console.error('ready'));
}
