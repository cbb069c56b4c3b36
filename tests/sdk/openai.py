"""One scenario with OpenAI's Python SDK: `openai.py NAME`, with BASE_URL and TOKEN in the environment.

Prints what the caller got as one line of JSON, which the Rust test compares. openai.mjs prints the same.
"""

import importlib
import json
import os
import sys
from typing import List, Optional

# This file has the package's name: it must not be found before it.
sys.path = [path for path in sys.path if os.path.abspath(path or ".") != os.path.dirname(os.path.abspath(__file__))]
openai = importlib.import_module("openai")
from pydantic import BaseModel  # noqa: E402

MODEL = os.environ.get("MODEL", "gpt-6.1-sol")
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "name": "get_weather", "description": "The weather of a city", "parameters": PARAMETERS, "strict": True}
CHAT_WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "The weather of a city", "parameters": PARAMETERS}}

client = openai.OpenAI(base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["TOKEN"], max_retries=0)


class Person(BaseModel):
    name: str
    age: int
    nicknames: List[str]
    email: Optional[str]


def chat(text="hi", **more):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


def spent(usage):
    return [usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens, usage.output_tokens_details.reasoning_tokens]


def chat_spent(usage):
    return [usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens]


def responses_create():
    response = client.responses.create(model=MODEL, input="say hello", instructions="Be brief.")
    return {
        "text": response.output_text,
        "status": response.status,
        "model": response.model,
        "usage": spent(response.usage),
        "request_id": response._request_id.startswith("req_"),
    }


def responses_stream():
    with client.responses.stream(model=MODEL, input="hi") as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        response = stream.get_final_response()
    return {"text": text, "same": response.output_text == text, "usage": spent(response.usage)}


def responses_tools():
    first = client.responses.create(model=MODEL, input="Weather in Oslo?", tools=[WEATHER])
    call = next(item for item in first.output if item.type == "function_call")
    second = client.responses.create(
        model=MODEL,
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sun in " + json.loads(call.arguments)["city"]}],
        tools=[WEATHER],
    )
    return {"name": call.name, "text": second.output_text, "previous": second.previous_response_id == first.id}


def responses_replay():
    said = [{"role": "user", "content": "Weather in Oslo?"}]
    first = client.responses.create(model=MODEL, input=said, tools=[WEATHER], store=False)
    call = next(item for item in first.output if item.type == "function_call")
    said += [item.to_dict() for item in first.output]
    said.append({"type": "function_call_output", "call_id": call.call_id, "output": "sun in Oslo"})
    second = client.responses.create(model=MODEL, input=said, tools=[WEATHER], store=False)
    return {"text": second.output_text}


def responses_parse():
    response = client.responses.parse(model=MODEL, input="Who?", text_format=Person)
    return response.output_parsed.model_dump()


def chat_create():
    completion = client.chat.completions.create(**chat("say hello", reasoning_effort="high"))
    choice = completion.choices[0]
    return {
        "text": choice.message.content,
        "reasoning": choice.message.reasoning_content,
        "reason": choice.finish_reason,
        "model": completion.model,
        "usage": chat_spent(completion.usage),
        "request_id": completion._request_id.startswith("req_"),
    }


def chat_stream():
    text, usage, reasons = "", None, []
    for chunk in client.chat.completions.create(**chat(stream=True, stream_options={"include_usage": True})):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasons += [choice.finish_reason] if choice.finish_reason else []
    return {"text": text, "reasons": reasons, "usage": chat_spent(usage)}


def chat_tools():
    said = [{"role": "user", "content": "Weather in Oslo and Bergen?"}]
    with client.chat.completions.stream(model=MODEL, messages=said, tools=[CHAT_WEATHER]) as stream:
        for _ in stream:
            pass
        first = stream.get_final_completion().choices[0]
    said.append(first.message.to_dict())
    for call in first.message.tool_calls:
        said.append({"role": "tool", "tool_call_id": call.id, "content": "sun in " + json.loads(call.function.arguments)["city"]})
    second = client.chat.completions.create(model=MODEL, messages=said, tools=[CHAT_WEATHER])
    return {
        "calls": [[call.function.name, json.loads(call.function.arguments)["city"]] for call in first.message.tool_calls],
        "reason": first.finish_reason,
        "text": second.choices[0].message.content,
    }


def chat_parse():
    completion = client.chat.completions.parse(**chat("Who?", response_format=Person))
    return completion.choices[0].message.parsed.model_dump()


def chat_media():
    content = [{"type": "text", "text": "Look."}, {"type": "image_url", "image_url": {"url": PNG}}]
    completion = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    return {"text": completion.choices[0].message.content}


def models():
    return {"ids": [model.id for model in client.models.list()], "one": client.models.retrieve(MODEL).id}


def failure(error):
    return {
        "kind": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
    }


def failing(ask):
    try:
        ask()
    except openai.APIError as error:
        return failure(error)
    return None


def errors():
    stranger = openai.OpenAI(base_url=os.environ["BASE_URL"] + "/v1", api_key="wrong", max_retries=0)
    return {
        "key": failing(lambda: stranger.responses.create(model=MODEL, input="hi")),
        "model": failing(lambda: client.chat.completions.create(**{**chat(), "model": "gpt-0"})),
        "request": failing(lambda: client.chat.completions.create(**chat(n=2))),
    }


def limit():
    patient = openai.OpenAI(base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["TOKEN"], max_retries=3)
    return failing(lambda: patient.responses.create(model=MODEL, input="hi"))


def broken():
    def chat_broken():
        for _ in client.chat.completions.create(**chat(stream=True)):
            pass

    events = [event for event in client.responses.create(model=MODEL, input="hi", stream=True)]
    last = events[-1]
    return {"chat": failing(chat_broken)["kind"], "last": last.type, "code": last.response.error.code}


print(json.dumps(globals()[sys.argv[1]](), ensure_ascii=False))
