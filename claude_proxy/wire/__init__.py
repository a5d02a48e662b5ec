"""The two dialects as data: OpenAI's, Anthropic's, and the event stream both travel in. No I/O, no clock."""
