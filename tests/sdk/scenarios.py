"""One scenario with Anthropic's Python SDK: `scenarios.py NAME`, with BASE_URL and TOKEN in the environment.

Prints what the caller got as one line of JSON, which the Rust test compares. scenarios.mjs prints the same.
"""

import json
import os
import sys
from typing import List, Optional

import anthropic
from anthropic import Anthropic, beta_tool
from pydantic import BaseModel

MODEL = os.environ.get("MODEL", "claude-opus-5-5")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJSVFT0YK"
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
        "required": ["city"],
    },
}

client = Anthropic(base_url=os.environ["BASE_URL"], auth_token=os.environ["TOKEN"], max_retries=0)


def ask(text="hi", **more):
    return {"model": MODEL, "max_tokens": 512, "messages": [{"role": "user", "content": text}], **more}


def usage(message):
    return [message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens]


def create():
    message = client.messages.create(**ask("say hello", system="Be brief."))
    assert message.type == "message" and message.role == "assistant" and message.id.startswith("msg_")
    return {
        "text": message.content[0].text,
        "stop_reason": message.stop_reason,
        "model": message.model,
        "usage": usage(message),
        "request_id": message._request_id.startswith("req_"),
    }


def stream():
    with client.messages.stream(**ask()) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    return {
        "text": text,
        "same": message.content[0].text == text,
        "stop_reason": message.stop_reason,
        "usage": usage(message),
    }


def events():
    """The events as they come: what SDKs insist on (M19)."""
    seen, index = [], -1
    for event in client.messages.create(**ask(tools=[WEATHER]), stream=True):
        seen.append(event.type)
        if event.type == "message_start":
            assert event.message.usage.input_tokens > 0 and event.message.usage.output_tokens >= 0
            assert event.message.content == [] and event.message.stop_reason is None
        if event.type == "content_block_start":
            assert event.index == index + 1, "an index is missing"
            index = event.index
        if event.type in ("content_block_delta", "content_block_stop"):
            assert event.index == index, "blocks overlap"
        if event.type == "message_delta":
            assert event.usage.output_tokens > 0
    once = [kind for i, kind in enumerate(seen) if i == 0 or seen[i - 1] != kind]
    return {"events": once}


def thinking():
    """Thinking is shown, and replayed as the SDK keeps it."""
    first = ask(thinking={"type": "enabled", "budget_tokens": 2048})
    with client.messages.stream(**first) as stream:
        message = stream.get_final_message()
    thought = message.content[0]
    assert thought.type == "thinking" and thought.signature
    history = first["messages"] + [
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": "go on"},
    ]
    again = client.messages.create(**{**first, "messages": history})
    return {"thinking": thought.thinking, "text": message.content[1].text, "again": again.content[-1].text}


def tools():
    first = ask("weather in Oslo and Rome?", tools=[WEATHER], tool_choice={"type": "auto"})
    message = client.messages.create(**first)
    calls = [block for block in message.content if block.type == "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": "sunny in " + call.input["city"]}
        for call in reversed(calls)
    ]
    history = first["messages"] + [
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": results},
    ]
    end = client.messages.create(**{**first, "messages": history})
    return {
        "stop_reason": message.stop_reason,
        "inputs": [call.input for call in calls],
        "end": end.content[0].text,
    }


def streamed_tools():
    """The SDK gathers a call's input from its pieces."""
    with client.messages.stream(**ask(tools=[WEATHER])) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        message = stream.get_final_message()
    call = message.content[-1]
    assert json.loads("".join(pieces)) == call.input
    return {"name": call.name, "input": call.input, "stop_reason": message.stop_reason}


def tool_runner():
    """The SDK's own loop asks for a server-side thread first, and sends the whole history once that is refused."""
    ran = []

    @beta_tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        ran.append(city)
        if city == "Atlantis":
            raise ValueError("there is no such city")
        return "sunny in " + city

    refused = []

    def count(response):
        if response.status_code == 400:
            response.read()
            refused.append(response.json()["error"]["details"]["error_code"])

    import httpx2

    http = httpx2.Client(event_hooks={"response": [count]})
    own = Anthropic(base_url=os.environ["BASE_URL"], auth_token=os.environ["TOKEN"], max_retries=0, http_client=http)
    runner = own.beta.messages.tool_runner(**ask("weather?"), tools=[get_weather])
    message = runner.until_done()
    return {"text": message.content[-1].text, "ran": ran, "refused": sorted(set(refused))}


def parse():
    class Person(BaseModel):
        name: str
        age: int
        nicknames: List[str]
        email: Optional[str] = None

    message = client.messages.parse(**ask("who?"), output_format=Person)
    person = message.parsed_output
    assert isinstance(person, Person)
    return {"name": person.name, "age": person.age, "nicknames": person.nicknames, "email": person.email}


def media():
    content = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
            "title": "plan.pdf",
        },
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain words"}},
        {"type": "text", "text": "what is this?"},
    ]
    message = client.messages.create(**ask(content))
    return {"text": message.content[0].text}


def error():
    """The exception for what the backend or Dragoman refuses."""
    wanted = os.environ["ERROR"]
    own = client
    request = ask()
    if wanted == "no_messages":
        request["messages"] = []
    if wanted == "wrong_token":
        own = Anthropic(base_url=os.environ["BASE_URL"], auth_token="wrong", max_retries=0)
    if wanted == "unknown_model":
        request["model"] = "gpt-of-yesterday"
    if wanted == "too_large":
        request = ask("x" * (9 * 1024 * 1024))
    try:
        if wanted == "mid_stream":
            text = ""
            try:
                with own.messages.stream(**request) as stream:
                    for piece in stream.text_stream:
                        text += piece
            except anthropic.APIStatusError as error:
                return {"class": "APIError", "type": error.body["error"]["type"], "after": text}
        message = own.messages.create(**request)
    except anthropic.APIStatusError as error:
        names = [kind.__name__ for kind in type(error).__mro__]
        return {
            # The SDK has an older name for one of them.
            "class": "ContentTooLargeError" if "ContentTooLargeError" in names else names[0],
            "status": error.status_code,
            "type": error.body["error"]["type"],
            "message": error.body["error"]["message"],
            "request_id": (error.request_id or "").startswith("req_"),
            "retry": error.response.headers.get("x-should-retry"),
        }
    return {"class": None, "text": message.content[0].text}


def retries():
    """With its usual settings the SDK tries again by itself what may be tried again."""
    own = Anthropic(base_url=os.environ["BASE_URL"], auth_token=os.environ["TOKEN"])
    return {"text": own.messages.create(**ask()).content[0].text}


def count_tokens():
    count = client.messages.count_tokens(
        model=MODEL, system="Be brief.", tools=[WEATHER], messages=[{"role": "user", "content": "hello there"}]
    )
    return {"counted": 10 < count.input_tokens < 400}


def models():
    listed = list(client.models.list(limit=1000))
    assert all(model.display_name and model.type == "model" for model in listed)
    ids = [model.id for model in listed]
    answer = client.messages.create(**{**ask(), "model": ids[0]})
    return {"ids": ids, "usable": answer.model == ids[0]}


def cancel():
    with client.messages.stream(**ask()) as stream:
        for text in stream.text_stream:
            break
    return {"first": text}


def stop_sequence():
    message = client.messages.create(**ask(), stop_sequences=["</block>"])
    return {"text": message.content[0].text, "stop_reason": message.stop_reason, "stopped_at": message.stop_sequence}


def effort():
    message = client.messages.create(**ask(), output_config={"effort": "high"})
    return {"text": message.content[0].text}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
