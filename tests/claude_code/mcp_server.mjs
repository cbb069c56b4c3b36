// A Model Context Protocol server on stdio: one tool adds, one shows a tiny image (its base64 is argv[2]), and two leave a
// line in a file (argv[3]) each time they are called; one of these says that it changes nothing.
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const object = (properties, required) => ({ type: 'object', properties, required });
const tools = [
  {
    name: 'add_numbers',
    description: 'Add two numbers and return the sum',
    inputSchema: object({ a: { type: 'number' }, b: { type: 'number' } }, ['a', 'b']),
  },
  { name: 'get_image', description: 'Return a tiny image', inputSchema: object({}, []) },
  { name: 'note', description: 'Leave a note', inputSchema: object({}, []) },
  { name: 'look', description: 'Look around', inputSchema: object({}, []), annotations: { readOnlyHint: true } },
];

function answer({ method, params }) {
  switch (method) {
    case 'initialize':
      return {
        protocolVersion: params.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'demo', version: '1.0' },
      };
    case 'tools/list':
      return { tools };
    case 'tools/call': {
      const { name, arguments: given } = params;
      if (name === 'add_numbers') return { content: [{ type: 'text', text: `sum=${given.a + given.b}` }] };
      if (name === 'note' || name === 'look') {
        appendFileSync(process.argv[3], 'ran\n');
        return { content: [{ type: 'text', text: 'ok' }] };
      }
      const image = { type: 'image', data: process.argv[2], mimeType: 'image/png' };
      return { content: [{ type: 'text', text: 'here' }, image] };
    }
    case 'ping':
      return {};
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.id === undefined) continue;
  const result = answer(message);
  const body = result ? { result } : { error: { code: -32601, message: 'no such method' } };
  process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...body }) + '\n');
}
