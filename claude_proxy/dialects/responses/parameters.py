"""Every parameter of the Responses API and its fate: the table that the documentation and `explain` print."""

from claude_proxy.dialects.parameter import Parameter

PARAMETERS: tuple[Parameter, ...] = (
    Parameter("model", "mapped", "a Claude id, a line's name (`sonnet`) or an alias of yours", "no"),
    Parameter("input", "mapped", "a text, or items of every kind; what OpenAI's own tools left is left out", "no"),
    Parameter("instructions", "mapped", "the first system text; not taken over from an earlier response", "no"),
    Parameter("max_output_tokens", "mapped", "to `max_tokens`; the model's own limit if absent", "no"),
    Parameter("tools", "mapped", "functions, custom tools, namespaces, search, MCP servers; shells as functions", "no"),
    Parameter("tool_choice", "mapped", "with `tools`; models that cannot be forced are asked, with a warning", "no"),
    Parameter("parallel_tool_calls", "mapped", "false: one call at a time", "no"),
    Parameter("max_tool_calls", "mapped", "bounds the searches of a request", "no"),
    Parameter("text", "mapped", "`json_schema` natively, `json_object` by request; verbosity as a sentence", "no"),
    Parameter("reasoning", "mapped", "effort as the model accepts it; summaries are always returned", "no"),
    Parameter("include", "mapped", "encrypted reasoning and the sources of a search; others are empty here", "no"),
    Parameter("store", "mapped", "kept on this machine unless false", "no"),
    Parameter("previous_response_id", "mapped", "the stored conversation goes before the input", "no"),
    Parameter("conversation", "mapped", "its items go before the input, and the new ones are added to it", "no"),
    Parameter("background", "mapped", "runs without the client; needs `store`", "no"),
    Parameter("stream", "mapped", "upstream is always streamed, and folded for you when absent", "no"),
    Parameter("stream_options", "accepted", "obfuscation is never added", "no"),
    Parameter("temperature", "mapped", "0 to 1, more is 1; newer models take none: a warning", "no"),
    Parameter("top_p", "mapped", "unless the model takes none or `temperature` is there: a warning", "no"),
    Parameter("user", "mapped", "to `metadata.user_id`, hashed", "no"),
    Parameter("safety_identifier", "mapped", "as `user`, which it overrides", "no"),
    Parameter("service_tier", "mapped", "default, priority, and fast where it exists and `fast_mode` is set", "no"),
    Parameter(
        "prompt_cache_options", "mapped", "`explicit` leaves caching to your breakpoints; a ttl is an hour", "no"
    ),
    Parameter("prompt_cache_retention", "mapped", "24h: cached for an hour, the longest there is", "no"),
    Parameter("prompt_cache_key", "accepted", "not needed: the cache goes by the prompt itself", "no"),
    Parameter("metadata", "mapped", "kept with the response, not sent", "no"),
    Parameter("truncation", "ignored", "`auto` cuts nothing; the error of a long conversation says so", "no"),
    Parameter("context_management", "ignored", "use responses/compact", "no"),
    Parameter("top_logprobs", "ignored", "the Messages API gives no probabilities", "no"),
    Parameter("moderation", "ignored", "the Messages API has no moderation to configure", "no"),
    Parameter("access_programs", "ignored", "OpenAI's access programs do not exist here", "no"),
    Parameter("background_options", "ignored", "a run in the background has no options here", "no"),
    Parameter("image", "ignored", "Claude makes no images", "no"),
    Parameter("prompt", "refused", "templates are stored at OpenAI", "no"),
)

EXTENSIONS: tuple[Parameter, ...] = (
    Parameter("anthropic", "mapped", "an object merged into the Messages request, last", "no"),
    Parameter("client_metadata", "accepted", "what Codex says about itself; not sent", "no"),
)
