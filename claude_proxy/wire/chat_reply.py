"""OpenAI's answers as data: completions, the deltas of a stream, errors and models.

Shapes follow `openai.types.chat` of the SDK 3.54. A field that clients demand has no default, so that it is always
written; `UNSET` leaves one out.
"""

from msgspec import UNSET, Struct, UnsetType


class PromptTokensDetails(Struct):
    cached_tokens: int
    cache_write_tokens: int
    audio_tokens: int


class CompletionTokensDetails(Struct):
    reasoning_tokens: int
    audio_tokens: int
    accepted_prediction_tokens: int
    rejected_prediction_tokens: int


class CompletionUsage(Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


class URLCitation(Struct):
    url: str
    title: str
    start_index: int
    end_index: int


class Annotation(Struct, omit_defaults=True):
    type: str
    url_citation: URLCitation
    index: int | UnsetType = UNSET  # in a stream: its accumulators merge list items by index


class AnsweredFunction(Struct):
    name: str
    arguments: str


class AnsweredCustom(Struct):
    name: str
    input: str


class AnsweredCall(Struct, omit_defaults=True):
    id: str
    type: str
    function: AnsweredFunction | UnsetType = UNSET
    custom: AnsweredCustom | UnsetType = UNSET


class AnsweredMessage(Struct, omit_defaults=True):
    role: str
    content: str | None
    refusal: str | None
    annotations: list[Annotation]
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[AnsweredCall] | UnsetType = UNSET
    function_call: AnsweredFunction | UnsetType = UNSET


class Choice(Struct):
    index: int
    message: AnsweredMessage
    finish_reason: str
    logprobs: None


class ChatCompletion(Struct, omit_defaults=True):
    id: str
    object: str
    created: int  # unix seconds
    model: str
    choices: list[Choice]
    system_fingerprint: None
    usage: CompletionUsage | UnsetType = UNSET
    service_tier: str | UnsetType = UNSET


class DeltaFunction(Struct, omit_defaults=True):
    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class DeltaCustom(Struct, omit_defaults=True):
    name: str | UnsetType = UNSET
    input: str | UnsetType = UNSET


class DeltaCall(Struct, omit_defaults=True):
    index: int
    id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    function: DeltaFunction | UnsetType = UNSET
    custom: DeltaCustom | UnsetType = UNSET


class ChoiceDelta(Struct, omit_defaults=True):
    role: str | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[DeltaCall] | UnsetType = UNSET
    function_call: DeltaFunction | UnsetType = UNSET
    annotations: list[Annotation] | UnsetType = UNSET


class ErrorDetail(Struct):
    """OpenAI's error: always all four keys."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(Struct):
    error: ErrorDetail


class Model(Struct, omit_defaults=True):
    """One row of GET models; the last three are read by tools that know OpenRouter or vLLM."""

    id: str
    object: str
    created: int
    owned_by: str
    shutdown_date: str | UnsetType = UNSET
    display_name: str | UnsetType = UNSET
    context_length: int | UnsetType = UNSET
    max_model_len: int | UnsetType = UNSET


class ModelList(Struct, omit_defaults=True):
    object: str
    data: list[Model]
    models: list[Model] | UnsetType = UNSET  # Codex's own list; it takes its defaults for a model that is not in it
