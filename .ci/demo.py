"""One conversation through Dragoman's demo backend, told step by step.

Starts `dragoman serve` with a home of its own on a free loopback port, lets Claude Code (or, without it, two requests
of ours) ask for the files in a small folder, prints what went by, stops the server. Python's standard library only.
Never here: the user's own ~/.claude, ~/.codex or Dragoman settings; everything is below --home.
"""

import argparse
import http.client
import json
import os
import queue
import re
import secrets
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time

PROMPT = "List files in this folder with the Bash tool, then say in one sentence what is there."
FILES = {"haiku.txt": "Two bubbles overlap\n", "numbers.csv": "1,2,3\n", "notes.md": "# Notes\n"}
BASH = {
    "name": "Bash",
    "description": "Runs a command in the shell and returns what it prints.",
    "input_schema": {
        "type": "object",
        "properties": {"command": {"type": "string"}, "description": {"type": "string"}},
        "required": ["command"],
    },
}
# Nothing in the demo takes longer than a moment; these only keep a broken build from hanging.
START_LIMIT, ANSWER_LIMIT, CLAUDE_LIMIT, STOP_LIMIT = 20, 30, 120, 10


class Broken(Exception):
    """A step that did not happen, in one sentence."""


class Story:
    """Prints each step with the time since the conversation began."""

    def __init__(self):
        self.begin = time.monotonic()
        self.wide = min(110, shutil.get_terminal_size().columns)
        self.told = set()

    def tell(self, step, text, at=None):
        self.told.add(step)
        seconds = (time.monotonic() if at is None else at) - self.begin
        head = f"{seconds:6.2f} s  {step:<12}"
        lines = [
            part
            for line in text.strip().splitlines() or [""]
            for part in textwrap.wrap(line, max(40, self.wide - len(head))) or [""]
        ]
        print(head + lines[0])
        for line in lines[1:]:
            print((" " * len(head) + line).rstrip())
        sys.stdout.flush()

    def require(self, *steps):
        for step in steps:
            if step not in self.told:
                raise Broken(f"the conversation ended without a step “{step}”")


def tokens(usage):
    """`812 tokens in (640 from the cache), 23 out`, from an Anthropic usage object."""
    cached = usage.get("cache_read_input_tokens") or 0
    whole = (usage.get("input_tokens") or 0) + cached + (usage.get("cache_creation_input_tokens") or 0)
    from_cache = f" ({cached:,} from the cache)" if cached else ""
    return f"{whole:,} tokens in{from_cache}, {usage.get('output_tokens') or 0:,} out"


# === the server ===


class Server:
    """`dragoman serve` as a child process, and the address it printed."""

    def __init__(self, program, home):
        if not os.access(program, os.X_OK):
            raise Broken(f"there is no program at {program}")
        self.token = secrets.token_urlsafe(24)
        own = os.path.join(home, "dragoman")
        os.makedirs(own, exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("DRAGOMAN_", "ANTHROPIC_", "CODEX_"))}
        environment |= {"DRAGOMAN_HOME": own, "DRAGOMAN_CLIENT_TOKEN": self.token, "NO_COLOR": "1"}
        command = [program, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "off", "--backend", "demo"]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said, lines = [], queue.Queue()

        def listen():
            for line in self.process.stdout:
                self.said.append(line.rstrip())
                lines.put(line)
            lines.put(None)

        threading.Thread(target=listen, daemon=True).start()
        end, self.port = time.monotonic() + START_LIMIT, None
        while self.port is None:
            try:
                line = lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                self.stop()
                raise Broken(f"dragoman did not print its address within {START_LIMIT} s") from None
            if line is None:
                raise Broken("dragoman ended before it listened; " + self.words())
            if found := re.search(r"127\.0\.0\.1:([1-9]\d*)", line):
                self.port = int(found[1])

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def health(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_LIMIT)
        connection.request("GET", "/health")
        answer = connection.getresponse()
        body = answer.read().decode()
        if answer.status != 200:
            raise Broken(f"GET /health answered {answer.status}: {body[:200]}")
        return json.loads(body)

    def words(self):
        return "it said: " + " / ".join(self.said[-5:]) if self.said else "it said nothing"

    def stop(self):
        """Ends the process as a user's Ctrl-C would; True if it went by itself."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT if os.name == "posix" else signal.CTRL_C_EVENT)
            try:
                self.process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return False
        return self.process.returncode == 0


# === without Claude Code: two requests ===


def events(answer):
    """The SSE events of a response, as parsed JSON."""
    data = []
    for raw in answer:
        line = raw.decode().rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line[5:].lstrip())
        elif not line and data:
            yield json.loads("\n".join(data))
            data = []


def send(server, story, messages):
    """One streaming Messages request; returns the answer's content blocks, its stop reason and its usage."""
    body = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 32000,
        "stream": True,
        "thinking": {"type": "adaptive"},
        "tools": [BASH],
        "messages": messages,
    }
    headers = {
        "authorization": "Bearer " + server.token,
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
    }
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_LIMIT)
    connection.request("POST", "/v1/messages?beta=true", json.dumps(body), headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise Broken(f"POST /v1/messages answered {answer.status}: {answer.read().decode()[:300]}")
    blocks, pieces, first, stop, usage, done = [], [], None, None, {}, False
    for event in events(answer):
        kind = event["type"]
        if kind == "message_start":
            usage |= event["message"].get("usage", {})
        elif kind == "content_block_start":
            blocks.append(dict(event["content_block"]))
            pieces, first = [], None
        elif kind == "content_block_delta":
            first = first or time.monotonic()
            delta = event["delta"]
            if delta["type"] == "signature_delta":
                blocks[-1]["signature"] = blocks[-1].get("signature", "") + delta["signature"]
            else:
                pieces.append(delta.get("text") or delta.get("thinking") or delta.get("partial_json") or "")
        elif kind == "content_block_stop":
            block, whole = blocks[-1], "".join(pieces)
            if block["type"] == "tool_use":
                block["input"] = json.loads(whole or "{}")
                story.tell("tool call", f"{block['name']} {json.dumps(block['input'])}", first)
            elif block["type"] == "thinking":
                block["thinking"] = whole
                story.tell("reasoning", whole or "(kept by the model)", first)
            elif block["type"] == "text":
                block["text"] = whole
                story.tell("answer", whole, first)
        elif kind == "message_delta":
            stop = event["delta"].get("stop_reason")
            usage |= {k: v for k, v in event.get("usage", {}).items() if v is not None}
        elif kind == "error":
            raise Broken(f"the stream broke off: {event['error']['message']}")
        elif kind == "message_stop":
            done = True
    if not done:
        raise Broken("the stream ended without message_stop")
    story.tell("done", f"stop reason {stop}, {tokens(usage)}")
    return blocks, stop


def converse(server, folder):
    story = Story()
    messages = [{"role": "user", "content": PROMPT}]
    story.tell("request", f"“{PROMPT}” and a tool named Bash → POST {server.url}/v1/messages")
    blocks, stop = send(server, story, messages)
    calls = [block for block in blocks if block["type"] == "tool_use"]
    if stop != "tool_use" or not calls:
        raise Broken(f"the model did not ask for a tool; it stopped with {stop}")
    results = []
    for call in calls:
        command = call["input"].get("command", "")
        if command.split()[:1] != ["ls"]:
            raise Broken(f"the demo model asked for {command!r}, and this demo only runs ls")
        run = subprocess.run(["ls"], cwd=folder, capture_output=True, text=True, check=True)
        story.tell("tool result", run.stdout)
        results.append({"type": "tool_result", "tool_use_id": call["id"], "content": run.stdout})
    messages += [{"role": "assistant", "content": blocks}, {"role": "user", "content": results}]
    story.tell("request", "the history and the tool's result")
    blocks, stop = send(server, story, messages)
    if stop != "end_turn" or not any(block["type"] == "text" for block in blocks):
        raise Broken(f"the second request brought no final answer; it stopped with {stop}")
    story.require("tool call", "tool result", "answer")


# === with Claude Code ===


def run_claude(server, program, folder, home):
    """The real client, with a home and an environment of its own."""
    own = os.path.join(home, "home")
    os.makedirs(os.path.join(own, ".claude"), exist_ok=True)
    with open(os.path.join(own, ".claude.json"), "w", encoding="utf-8") as file:
        json.dump({"hasCompletedOnboarding": True, "projects": {folder: {"hasTrustDialogAccepted": True}}}, file)
    environment = {
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "HOME": own,
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_AUTH_TOKEN": server.token,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    command = [program, "-p", PROMPT, "--output-format", "stream-json", "--verbose", "--allowedTools", "Bash(ls:*)"]
    story = Story()
    story.tell("request", f"claude -p “{PROMPT}” → {server.url}")
    complaints = os.path.join(home, "claude.stderr")
    with open(complaints, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=file, text=True
        )
    watchdog = threading.Timer(CLAUDE_LIMIT, process.kill)
    watchdog.start()
    result = None
    try:
        for line in process.stdout:
            if line.startswith("{"):
                result = tell_event(story, json.loads(line)) or result
        process.wait()
    finally:
        watchdog.cancel()
    if process.returncode != 0 or result is None or result.get("is_error"):
        with open(complaints, encoding="utf-8") as file:
            words = (result or {}).get("result") or file.read().strip() or f"it ended with {process.returncode}"
        raise Broken(f"Claude Code did not finish: {words}")
    story.tell("done", f"{result.get('num_turns', '?')} turns, {tokens(result.get('usage', {}))}")
    story.require("tool call", "tool result", "answer")


def tell_event(story, event):
    """One line of Claude Code's stream-json; gives the `result` event back."""
    if event["type"] == "system" and event.get("subtype") == "init":
        story.tell("client", f"Claude Code {event.get('claude_code_version', '')}, model {event.get('model', '?')}")
    elif event["type"] == "result":
        return event
    elif event["type"] in ("assistant", "user"):
        content = event["message"]["content"]
        for block in content if isinstance(content, list) else []:
            if block["type"] == "thinking":
                story.tell("reasoning", block["thinking"] or "(kept by the model)")
            elif block["type"] == "text" and event["type"] == "assistant":
                story.tell("answer", block["text"])
            elif block["type"] == "tool_use":
                story.tell("tool call", f"{block['name']} {json.dumps(block['input'])}")
            elif block["type"] == "tool_result":
                said = block["content"]
                text = said if isinstance(said, str) else "\n".join(part.get("text", "") for part in said)
                if block.get("is_error"):
                    raise Broken(f"the tool failed: {text}")
                story.tell("tool result", text)
    return None


def main():
    parser = argparse.ArgumentParser(description="One conversation through Dragoman's demo backend.")
    parser.add_argument("--dragoman", required=True, help="the program")
    parser.add_argument("--home", required=True, help="a folder of our own; it is emptied first")
    parser.add_argument("--claude", help="Claude Code; without it, two requests are sent from here")
    options = parser.parse_args()

    home = os.path.abspath(options.home)
    shutil.rmtree(home, ignore_errors=True)
    folder = os.path.join(home, "folder")
    os.makedirs(folder)
    for name, text in FILES.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    started = time.monotonic()
    server = Server(os.path.abspath(options.dragoman), home)
    try:
        health = server.health()
        print(f"Dragoman {health.get('version', '')} listens on {server.url} after {time.monotonic() - started:.2f} s (demo backend)\n")
        if options.claude:
            run_claude(server, os.path.abspath(options.claude), folder, home)
        else:
            print("Without Claude Code (`make setup-tests` brings it): sending two requests of our own.\n")
            converse(server, folder)
    finally:
        stopped = server.stop()
    if not stopped:
        raise Broken("dragoman did not stop by itself when asked to; " + server.words())
    print("\nDragoman stopped. No account was used; what it wrote is in target/demo.")


if __name__ == "__main__":
    try:
        main()
    except Broken as broken:
        sys.exit(f"\nThe demo failed: {broken}.")
    except KeyboardInterrupt:
        sys.exit(130)
