"""Every parameter of the legacy completions API and its fate: the table that the documentation and `explain` print."""

from claude_proxy.dialects.parameter import Parameter

PARAMETERS: tuple[Parameter, ...] = (
    Parameter("model", "mapped", "a Claude id, a line's name (`sonnet`) or an alias of yours", "no"),
    Parameter("prompt", "mapped", "a text, or a list of texts with one request for each; tokens are refused", "no"),
    Parameter("max_tokens", "mapped", "the model's own limit if absent, not 16 as at OpenAI", "no"),
    Parameter("n", "emulated", "several requests, usage summed", "no"),
    Parameter("echo", "emulated", "the prompt is put before the answer", "no"),
    Parameter("stop", "mapped", "a text or a list; blank ones are looked for in the answer", "no"),
    Parameter("stream", "mapped", "upstream is always streamed, and folded for you when absent", "no"),
    Parameter("stream_options", "mapped", "`include_usage`; obfuscation is never added", "no"),
    Parameter("temperature", "mapped", "0 to 1, more is 1; newer models take none: a warning", "no"),
    Parameter("top_p", "mapped", "unless the model takes none or `temperature` is there: a warning", "no"),
    Parameter("user", "mapped", "to `metadata.user_id`, hashed", "no"),
    Parameter("suffix", "refused", "Claude continues a text and cannot fill a gap in one", "no"),
    Parameter("best_of", "refused", "more than 1: there are no probabilities to choose by", "no"),
    Parameter("logprobs", "ignored", "the Messages API gives no probabilities", "no"),
    Parameter("frequency_penalty", "ignored", "the Messages API has no penalties", "no"),
    Parameter("presence_penalty", "ignored", "the Messages API has no penalties", "no"),
    Parameter("logit_bias", "ignored", "the Messages API has no token biases", "no"),
    Parameter("seed", "ignored", "the Messages API has no seed", "no"),
)

EXTENSIONS: tuple[Parameter, ...] = (
    Parameter("anthropic", "mapped", "an object merged into the Messages request, last", "no"),
)
