// Drives the OpenAI SDK for Node against the base URL in argv, and prints what it saw as one JSON object.
import OpenAI from 'openai';

const model = 'claude-haiku-4-5';
const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'any key will do', maxRetries: 0 });
const user = (text) => [{ role: 'user', content: text }];
const tools = [{
  type: 'function',
  function: {
    name: 'add',
    parameters: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } } },
    parse: JSON.parse,
    function: ({ a, b }) => String(a + b),
  },
}];

async function failure(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
}

async function chat() {
  const completion = await client.chat.completions.create({ model, messages: user('/simulate text Hello') });
  return completion.choices[0];
}

async function stream() {
  const messages = user('/simulate thinking Hm.\n/simulate text Hello, world');
  const options = { model, messages, stream: true, stream_options: { include_usage: true }, reasoning_effort: 'high' };
  const seen = { content: '', reasoning: '', reasons: [], usage: null };
  for await (const chunk of await client.chat.completions.create(options)) {
    const choice = chunk.choices[0];
    seen.content += choice?.delta.content ?? '';
    seen.reasoning += choice?.delta.reasoning_content ?? '';
    if (choice?.finish_reason) seen.reasons.push(choice.finish_reason);
    seen.usage = chunk.usage ?? seen.usage;
  }
  return seen;
}

async function helper() {
  const script = '/simulate text Sum:\n/simulate tool add {"a": 1, "b": 2}\n/simulate tool add {"a": 3, "b": 4}';
  const running = client.chat.completions.stream({ model, messages: user(script), tools });
  const message = (await running.finalChatCompletion()).choices[0].message;
  return { content: message.content, arguments: message.tool_calls.map((call) => JSON.parse(call.function.arguments)) };
}

async function runner() {
  const script = '/simulate tool add {"a": 1, "b": 2}\n/simulate tool add {"a": 3, "b": 4}\n/simulate next\n/simulate text 3 and 7';
  const running = client.chat.completions.runTools({ model, messages: user(script), tools, stream: true });
  return { content: await running.finalContent(), results: running.messages.filter((m) => m.role === 'tool').map((m) => m.content) };
}

async function abort() {
  const running = await client.chat.completions.create({ model, messages: user('/simulate text Hi\n/simulate stall'), stream: true });
  for await (const chunk of running) {
    if (chunk.choices[0].delta.content) running.controller.abort();
  }
  return 'aborted';
}

async function models() {
  const ids = [];
  for await (const one of client.models.list()) ids.push(one.id);
  return { first: (await client.models.retrieve(ids[0])).id === ids[0], count: ids.length };
}

async function errors() {
  const broken = await client.chat.completions.create({ model, messages: user('/simulate text Half\n/simulate cut'), stream: true });
  return {
    limited: await failure(client.chat.completions.create({ model, messages: user('/simulate status 429') })),
    overloaded: await failure(client.chat.completions.create({ model, messages: user('/simulate status 529') })),
    unknown: await failure(client.chat.completions.create({ model: 'gpt-4o', messages: user('hi') })),
    misfit: await failure(client.chat.completions.create({ model, messages: [{ role: 'robot', content: 'hi' }] })),
    cut: await failure((async () => { for await (const _ of broken); })()),
  };
}

const seen = {};
for (const step of [chat, stream, helper, runner, abort, models, errors]) seen[step.name] = await step();
console.log(JSON.stringify(seen));
