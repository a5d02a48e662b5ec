// Drives Vercel's AI SDK against the base URL in argv, with each model; prints a line for each feature that works.
import assert from 'node:assert/strict';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

const models = ['claude-sonnet-4-5', 'claude-opus-5-5', 'claude-haiku-5-5'];
const settings = { name: 'claude', baseURL: process.argv[2], apiKey: 'any', includeUsage: true };
const claude = createOpenAICompatible({ ...settings, supportsStructuredOutputs: true });
const plainClaude = createOpenAICompatible(settings); // sends a bare json_object, without the schema

const drawing = z.object({
  title: z.string(),
  author: z.object({ name: z.string(), born: z.number().nullable() }),
  shapes: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('circle'), radius: z.number() }),
      z.object({ kind: z.literal('square'), side: z.number() }),
    ]),
  ),
});
const drawn = {
  title: 'Two',
  author: { name: 'Ada', born: null },
  shapes: [{ kind: 'circle', radius: 1.5 }, { kind: 'square', side: 2 }],
};
const draw = `Draw two shapes.\n/simulate text ${JSON.stringify(drawn)}`;

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
  '/simulate text I will look.',
  '/simulate tool getWeather {"city": "Oslo"}',
  '/simulate tool getWeather {"city": "Rome"}',
].join('\n');
const agent = { prompt: askWeather, tools, stopWhen: stepCountIs(3) };

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const pdf = Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n%%EOF\n');

const quiet = { maxRetries: 0, onError: () => {} };
async function all(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

const knowsTheWeather = (text) => Object.values(weather).every((degrees) => text.includes(degrees));

const features = {
  async chat(model) {
    const { text, usage, finishReason } = await generateText({ model: claude(model), system: 'Be brief.', prompt: 'Hello' });
    assert.match(text, /Hello/);
    assert.equal(finishReason, 'stop');
    assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
  },

  async streamWithUsage(model) {
    const result = streamText({ model: claude(model), prompt: 'Hello\n/simulate text One two three.', ...quiet });
    const said = await all(result.textStream);
    assert.ok(said.length > 1);
    assert.equal(said.join(''), 'One two three.');
    assert.ok((await result.usage).outputTokens > 0);
    assert.equal(await result.finishReason, 'stop');
  },

  async reasoning(model) {
    const options = { model: claude(model), prompt: 'Hello', providerOptions: { claude: { reasoningEffort: 'low' } } };
    const plain = (await generateText(options)).reasoningText;
    assert.ok(plain);
    assert.equal(await streamText({ ...options, ...quiet }).reasoningText, plain);
  },

  async toolRoundTrip(model) {
    const { text, steps, response } = await generateText({ model: claude(model), ...agent });
    assert.equal(steps[0].toolResults.length, 2);
    assert.ok(knowsTheWeather(text));
    // The whole history once more, thoughts and calls and all.
    const messages = [{ role: 'user', content: askWeather }, ...response.messages, { role: 'user', content: 'Thank you' }];
    assert.match((await generateText({ model: claude(model), messages, tools })).text, /Thank you/);
  },

  async toolRoundTripStreamed(model) {
    const result = streamText({ model: claude(model), ...agent, ...quiet });
    assert.ok(knowsTheWeather(await result.text));
    assert.equal((await result.steps)[0].toolCalls.length, 2);
  },

  async forcedCall(model) {
    const { toolCalls } = await generateText({ model: claude(model), prompt: askWeather, tools, toolChoice: 'required' });
    assert.deepEqual(toolCalls.map((call) => call.input.city), ['Oslo', 'Rome']);
  },

  async structuredOutput(model) {
    const output = Output.object({ schema: drawing });
    assert.deepEqual((await generateText({ model: claude(model), prompt: draw, output })).output, drawn);
    const result = streamText({ model: claude(model), prompt: draw, output, ...quiet });
    const partial = await all(result.partialOutputStream);
    assert.ok(partial.length > 1);
    assert.deepEqual(partial.at(-1), drawn);
  },

  async structuredOutputAfterTools(model) {
    const prompt = `${askWeather}\n/simulate next\n/simulate text ${JSON.stringify(drawn)}`;
    const output = Output.object({ schema: drawing });
    assert.deepEqual((await generateText({ model: claude(model), ...agent, prompt, output })).output, drawn);
  },

  async structuredOutputWithoutSchema(model) {
    const fenced = JSON.stringify('Here it is:\n```json\n' + JSON.stringify(drawn) + '\n```');
    const output = Output.object({ schema: drawing });
    for (const prompt of [draw, `Draw.\n/simulate text ${fenced}`]) {
      assert.deepEqual((await generateText({ model: plainClaude(model), prompt, output })).output, drawn);
      const result = streamText({ model: plainClaude(model), prompt, output, ...quiet });
      assert.deepEqual((await all(result.partialOutputStream)).at(-1), drawn);
    }
  },

  async media(model) {
    const content = [
      { type: 'text', text: 'Look.' },
      { type: 'image', image: png },
      { type: 'file', data: pdf, mediaType: 'application/pdf', filename: 'a.pdf' },
    ];
    const { text } = await generateText({ model: claude(model), messages: [{ role: 'user', content }] });
    assert.deepEqual([text.match(/\(image\)/g).length, text.match(/\(document\)/g).length], [1, 1]);
  },

  async refusalAndCut(model) {
    const refused = 'Do it.\n/simulate refusal I will not.';
    assert.equal((await generateText({ model: claude(model), prompt: refused })).finishReason, 'content-filter');
    const cut = 'Tell me.\n/simulate text One two\n/simulate stop max_tokens';
    assert.equal((await generateText({ model: claude(model), prompt: cut })).finishReason, 'length');
  },

  async unknownModel() {
    const asked = generateText({ model: claude('claude-nobody-1'), prompt: 'Hello', maxRetries: 0 });
    await assert.rejects(asked, (error) => {
      assert.ok(APICallError.isInstance(error));
      assert.equal(error.statusCode, 404);
      assert.equal(error.isRetryable, false);
      assert.match(error.message, /claude-nobody-1/);
      return true;
    });
  },

  async brokenStream(model) {
    const prompt = 'Hello\n/simulate text One two three.\n/simulate error overloaded_error';
    const parts = await all(streamText({ model: claude(model), prompt, ...quiet }).fullStream);
    assert.ok(parts.some((part) => part.type === 'error'));
  },
};

globalThis.AI_SDK_LOG_WARNINGS = false; // that a schema is not sent is what plainClaude is for
for (const [name, feature] of Object.entries(features)) {
  for (const model of models) {
    await feature(model);
    console.log(`${model}: ${name}`);
  }
}
