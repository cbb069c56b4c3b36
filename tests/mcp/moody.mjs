// A Model Context Protocol server on stdio with a mood (argv[2]) that real servers have on bad days. It leaves its
// process id in argv[3].
import { readFileSync, watch, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [mood, place, list] = process.argv.slice(2);
writeFileSync(place, String(process.pid));

const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n');
const tool = (name, inputSchema = { type: 'object' }) => ({ name, description: `about ${name}`, inputSchema });

function tools() {
  switch (mood) {
    // Its tools stand in a file, and it tells when that changes.
    case 'changing':
      return { tools: JSON.parse(readFileSync(list, 'utf8')).map((name) => tool(name)) };
    // They stand there as they are.
    case 'telling':
      return { tools: JSON.parse(readFileSync(list, 'utf8')) };
    // Some of what it lists can be no tool.
    case 'lying':
      return { tools: [tool('good'), tool('good'), tool('', {}), tool('text', { type: 'string' }), tool('odd', { type: 'object', properties: [] })] };
    // There is always one more page.
    case 'endless':
      return { tools: [tool('one')], nextCursor: 'more' };
    // It goes away after its list.
    case 'dying':
      setTimeout(() => process.exit(1), 100);
      return { tools: [tool('last_words')] };
    // It says what is not a list.
    default:
      return { tools: 'many' };
  }
}

function answer({ method, params }) {
  switch (method) {
    case 'initialize':
      return {
        protocolVersion: params.protocolVersion,
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: mood, version: '1.0' },
      };
    case 'tools/list':
      return tools();
    case 'ping':
      return {};
  }
}

if (mood === 'changing') {
  watch(list, () => say({ method: 'notifications/tools/list_changed' }));
}
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  // A hanging one hears and says nothing.
  if (message.id === undefined || mood === 'hanging') continue;
  const result = answer(message);
  say({ id: message.id, ...(result ? { result } : { error: { code: -32601, message: 'no such method' } }) });
}
