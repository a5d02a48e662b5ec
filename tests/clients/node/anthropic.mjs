// Drives the Anthropic SDK for Node against the base URL in argv, and prints what it saw as one JSON object.
import Anthropic from '@anthropic-ai/sdk';

const model = 'claude-haiku-4-5';
const client = new Anthropic({ baseURL: process.argv[2], apiKey: 'any key will do', maxRetries: 0 });
const user = (text) => [{ role: 'user', content: text }];

const message = await client.messages.create({ model, max_tokens: 50, messages: user('/simulate text Hello') });
const stream = client.messages.stream({ model, max_tokens: 50, messages: user('/simulate text Hello, world') });
const final = await stream.finalMessage();
const count = await client.messages.countTokens({ model, messages: user('How many?') });
console.log(JSON.stringify({
  message: message.content[0].text,
  streamed: final.content[0].text,
  counted: count.input_tokens > 0,
}));
