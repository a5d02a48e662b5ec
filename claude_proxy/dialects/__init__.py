"""OpenAI's dialects: each a folder that reads its requests into the middle and writes its replies from it."""
