"""Calls tools by the official openai client: python3 tool_calls_check.py ADDRESS MODEL..."""

import json
import sys

import openai
from pydantic import BaseModel

address, *models = sys.argv[1:]
client = openai.OpenAI(base_url=f"http://{address}/v1", api_key="none", max_retries=0)
QUESTION = [{"role": "user", "content": "How warm is it?"}]


class get_weather(BaseModel):
    """The weather of a city."""

    city: str
    days: int


TOOL = openai.pydantic_function_tool(get_weather)
WANTED = get_weather(city='Paris "é" 🚗', days=2)


def whole(model):
    message = client.chat.completions.parse(model=model, messages=QUESTION, tools=[TOOL]).choices[0].message
    assert message.content is None, message
    (call,) = message.tool_calls
    assert call.function.parsed_arguments == WANTED, call
    told = [*QUESTION, message, {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}]
    answer = client.chat.completions.create(model=model, messages=told, tools=[TOOL]).choices[0]
    assert (answer.finish_reason, answer.message.tool_calls) == ("stop", None), answer
    assert "21 degrees" in answer.message.content, answer


def streamed(model):
    with client.chat.completions.stream(model=model, messages=QUESTION, tools=[TOOL]) as stream:
        events = [event.type for event in stream]
        (choice,) = stream.get_final_completion().choices
    assert events.count("tool_calls.function.arguments.delta") > 5, events
    assert events.count("tool_calls.function.arguments.done") == 1, events
    assert "content.delta" not in events, events
    assert choice.finish_reason == "tool_calls", choice
    assert choice.message.tool_calls[0].function.parsed_arguments == WANTED, choice


def forced(model):
    named = {"type": "function", "function": {"name": "get_weather"}}
    for choice in ("required", named):
        create = client.chat.completions.create
        message = create(model=model, messages=QUESTION, tools=[TOOL], tool_choice=choice).choices[0].message
        assert [call.function.name for call in message.tool_calls] == ["get_weather"], message


def older(model):
    create = client.chat.completions.create
    choice = create(model=model, messages=QUESTION, functions=[TOOL["function"]]).choices[0]
    assert choice.finish_reason == "function_call", choice
    call = choice.message.function_call
    assert get_weather(**json.loads(call.arguments)) == WANTED, choice
    told = [*QUESTION, choice.message, {"role": "function", "name": call.name, "content": "21 degrees"}]
    answer = create(model=model, messages=told, functions=[TOOL["function"]]).choices[0].message
    assert "21 degrees" in answer.content, answer


def refused(model):
    try:
        bad = {"type": "function", "function": {"name": "a b"}}
        client.chat.completions.create(model=model, messages=QUESTION, tools=[TOOL, bad])
    except openai.BadRequestError as error:
        assert error.param == "tools.1.function.name", error
    else:
        raise AssertionError("a bad tool was taken")


for model in models:
    for check in (whole, streamed, forced, older, refused):
        check(model)
print("all right")
