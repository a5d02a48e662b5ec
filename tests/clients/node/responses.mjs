// Drives `client.responses` of the OpenAI SDK for Node, and the AI SDK's OpenAI provider in its default, against the
// base URL in argv, with each model; prints a line for each feature that works.
import assert from 'node:assert/strict';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, Output, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { z } from 'zod';

const models = ['claude-sonnet-4-5', 'claude-opus-5-5', 'claude-haiku-5-5'];
const baseURL = process.argv[2];
const client = new OpenAI({ baseURL, apiKey: 'any', maxRetries: 0 });
const claude = createOpenAI({ baseURL, apiKey: 'any' });
const weather = { Oslo: '3 degrees', Rome: '20 degrees' };
const tools = {
  getWeather: tool({
    description: 'The weather in a city.',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => weather[city],
  }),
};
const askWeather = [
  'What is the weather in Oslo and in Rome?',
  '/simulate tool getWeather {"city": "Oslo"}',
  '/simulate tool getWeather {"city": "Rome"}',
].join('\n');
const knowsTheWeather = (text) => Object.values(weather).every((degrees) => text.includes(degrees));

const features = {
  async sdkStream(model) {
    const stream = client.responses.stream({ model, input: 'Hello\n/simulate text One two three.' });
    const deltas = [];
    stream.on('response.output_text.delta', (event) => deltas.push(event.delta));
    const final = await stream.finalResponse();
    assert.equal(final.output_text, 'One two three.');
    assert.equal(deltas.join(''), 'One two three.');
    assert.ok(final.usage.output_tokens > 0);
  },
  async sdkCallsAndState(model) {
    const declared = [{
      type: 'function', name: 'add', strict: true,
      parameters: {
        type: 'object', properties: { a: { type: 'number' } }, required: ['a'], additionalProperties: false,
      },
    }];
    const script = 'Add\n/simulate tool add {"a": 1}\n/simulate tool add {"a": 2}\n/simulate next\n/simulate text 3';
    const first = await client.responses.create({ model, input: script, tools: declared });
    const calls = first.output.filter((item) => item.type === 'function_call');
    assert.deepEqual(calls.map((call) => JSON.parse(call.arguments)), [{ a: 1 }, { a: 2 }]);
    const input = calls.map((call) => ({ type: 'function_call_output', call_id: call.call_id, output: '1' }));
    const second = await client.responses.create({ model, input, tools: declared, previous_response_id: first.id });
    assert.equal(second.output_text, '3');
  },
  async text(model) {
    const { text, usage } = await generateText({ model: claude(model), prompt: 'Hello', maxRetries: 0 });
    assert.ok(text.includes('Hello'));
    assert.ok(usage.outputTokens > 0);
  },
  async streamedText(model) {
    const running = streamText({ model: claude(model), prompt: 'Hello\n/simulate text One two three.', maxRetries: 0 });
    assert.equal(await running.text, 'One two three.');
  },
  async agent(model) {
    const { text, steps } = await generateText({
      model: claude(model), prompt: askWeather, tools, stopWhen: stepCountIs(3), maxRetries: 0,
    });
    assert.ok(knowsTheWeather(text));
    assert.equal(steps.length, 2);
  },
  async output(model) {
    const schema = z.object({ sum: z.number() });
    const { output } = await generateText({
      model: claude(model), prompt: 'Add.\n/simulate text {"sum": 5}', output: Output.object({ schema }), maxRetries: 0,
    });
    assert.deepEqual(output, { sum: 5 });
  },
};

for (const [name, feature] of Object.entries(features)) {
  for (const model of models) {
    await feature(model);
    console.log(`${model}: ${name}`);
  }
}
