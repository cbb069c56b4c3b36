// One scenario with Anthropic's JavaScript SDK: `node scenarios.mjs NAME`, with BASE_URL, TOKEN and CLIENTS (where the
// packages are) in the environment.
//
// Prints what the caller got as one line of JSON, which the Rust test compares. scenarios.py prints the same.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.env.CLIENTS + "/package.json");
const { default: Anthropic, APIError } = require("@anthropic-ai/sdk");
const { zodOutputFormat } = require("@anthropic-ai/sdk/helpers/zod");
const { jsonSchemaOutputFormat } = require("@anthropic-ai/sdk/helpers/json-schema");
const { betaZodTool } = require("@anthropic-ai/sdk/helpers/beta/zod");
const { z } = require("zod");

const MODEL = process.env.MODEL ?? "claude-opus-5-5";
const PNG =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const PDF = "JVBERi0xLjQKJSVFT0YK";
const WEATHER = {
    name: "get_weather",
    description: "The weather of a city",
    input_schema: {
        type: "object",
        properties: { city: { type: "string" }, unit: { type: "string", enum: ["C", "F"] } },
        required: ["city"],
    },
};

const SETTINGS = { baseURL: process.env.BASE_URL, authToken: process.env.TOKEN, apiKey: null };
const client = new Anthropic({ ...SETTINGS, maxRetries: 0 });

const ask = (content = "hi", more = {}) => ({
    model: MODEL,
    max_tokens: 512,
    messages: [{ role: "user", content }],
    ...more,
});
const usage = ({ usage }) => [usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens];

const scenarios = {
    async create() {
        const message = await client.messages.create(ask("say hello", { system: "Be brief." }));
        assert(message.type === "message" && message.role === "assistant" && message.id.startsWith("msg_"));
        return {
            text: message.content[0].text,
            stop_reason: message.stop_reason,
            model: message.model,
            usage: usage(message),
            request_id: message._request_id.startsWith("req_"),
        };
    },

    async stream() {
        let text = "";
        const stream = client.messages.stream(ask()).on("text", (piece) => (text += piece));
        const message = await stream.finalMessage();
        return {
            text,
            same: message.content[0].text === text,
            stop_reason: message.stop_reason,
            usage: usage(message),
        };
    },

    // The events as they come: what SDKs insist on (M19).
    async events() {
        const seen = [];
        let index = -1;
        for await (const event of await client.messages.create(ask("hi", { tools: [WEATHER], stream: true }))) {
            seen.push(event.type);
            if (event.type === "message_start") {
                assert(event.message.usage.input_tokens > 0 && event.message.usage.output_tokens >= 0);
                assert(event.message.content.length === 0 && event.message.stop_reason === null);
            }
            if (event.type === "content_block_start") {
                assert.equal(event.index, index + 1, "an index is missing");
                index = event.index;
            }
            if (["content_block_delta", "content_block_stop"].includes(event.type)) {
                assert.equal(event.index, index, "blocks overlap");
            }
            if (event.type === "message_delta") assert(event.usage.output_tokens > 0);
        }
        return { events: seen.filter((kind, i) => i === 0 || seen[i - 1] !== kind) };
    },

    // Thinking is shown, and replayed as the SDK keeps it.
    async thinking() {
        const first = ask("hi", { thinking: { type: "enabled", budget_tokens: 2048 } });
        const message = await client.messages.stream(first).finalMessage();
        const [thought, said] = message.content;
        assert(thought.type === "thinking" && thought.signature);
        const messages = [
            ...first.messages,
            { role: "assistant", content: message.content },
            { role: "user", content: "go on" },
        ];
        const again = await client.messages.create({ ...first, messages });
        return { thinking: thought.thinking, text: said.text, again: again.content.at(-1).text };
    },

    async tools() {
        const first = ask("weather in Oslo and Rome?", { tools: [WEATHER], tool_choice: { type: "auto" } });
        const message = await client.messages.create(first);
        const calls = message.content.filter((block) => block.type === "tool_use");
        const results = calls
            .map(({ id, input }) => ({ type: "tool_result", tool_use_id: id, content: "sunny in " + input.city }))
            .reverse();
        const messages = [
            ...first.messages,
            { role: "assistant", content: message.content },
            { role: "user", content: results },
        ];
        const end = await client.messages.create({ ...first, messages });
        return {
            stop_reason: message.stop_reason,
            inputs: calls.map((call) => call.input),
            end: end.content[0].text,
        };
    },

    // The SDK gathers a call's input from its pieces.
    async streamed_tools() {
        let json = "";
        const stream = client.messages.stream(ask("hi", { tools: [WEATHER] }));
        stream.on("inputJson", (piece) => (json += piece));
        const message = await stream.finalMessage();
        const call = message.content.at(-1);
        assert.deepEqual(JSON.parse(json), call.input);
        return { name: call.name, input: call.input, stop_reason: message.stop_reason };
    },

    // The SDK's own loop asks for a server-side thread first, and sends the whole history once that is refused.
    async tool_runner() {
        const ran = [];
        const tool = betaZodTool({
            name: "get_weather",
            description: "The weather of a city.",
            inputSchema: z.object({ city: z.string() }),
            run: ({ city }) => {
                ran.push(city);
                if (city === "Atlantis") throw new Error("there is no such city");
                return "sunny in " + city;
            },
        });
        const refused = new Set();
        const counting = async (...request) => {
            const response = await fetch(...request);
            if (response.status === 400) {
                refused.add((await response.clone().json()).error.details.error_code);
            }
            return response;
        };
        const own = new Anthropic({ ...SETTINGS, maxRetries: 0, fetch: counting });
        const message = await own.beta.messages.toolRunner(ask("weather?", { tools: [tool] })).runUntilDone();
        return { text: message.content.at(-1).text, ran, refused: [...refused].sort() };
    },

    async parse() {
        const Person = z.object({
            name: z.string(),
            age: z.number().int(),
            nicknames: z.array(z.string()),
            email: z.string().nullable().optional(),
        });
        const message = await client.messages.parse(
            ask("who?", { output_config: { format: zodOutputFormat(Person) } }),
        );
        const { name, age, nicknames, email } = message.parsed_output;
        return { name, age, nicknames, email: email ?? null };
    },

    // Only this SDK takes a JSON Schema as it is.
    async parse_schema() {
        const schema = {
            type: "object",
            properties: { colour: { type: "string", enum: ["red", "blue"] }, note: { type: "string" } },
            required: ["colour"],
            additionalProperties: false,
        };
        const format = jsonSchemaOutputFormat(schema, { transform: false });
        const message = await client.messages.parse(ask("colour?", { output_config: { format } }));
        return message.parsed_output;
    },

    async media() {
        const message = await client.messages.create(
            ask([
                { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
                { type: "image", source: { type: "url", url: "https://example.com/cat.png" } },
                {
                    type: "document",
                    source: { type: "base64", media_type: "application/pdf", data: PDF },
                    title: "plan.pdf",
                },
                { type: "document", source: { type: "url", url: "https://example.com/a.pdf" } },
                { type: "document", source: { type: "text", media_type: "text/plain", data: "plain words" } },
                { type: "text", text: "what is this?" },
            ]),
        );
        return { text: message.content[0].text };
    },

    // The exception for what the backend or Dragoman refuses.
    async error() {
        const wanted = process.env.ERROR;
        let own = client;
        let request = ask();
        if (wanted === "no_messages") request.messages = [];
        if (wanted === "wrong_token") own = new Anthropic({ ...SETTINGS, authToken: "wrong", maxRetries: 0 });
        if (wanted === "unknown_model") request.model = "gpt-of-yesterday";
        if (wanted === "too_large") request = ask("x".repeat(9 * 1024 * 1024));
        if (wanted === "mid_stream") {
            let text = "";
            try {
                const stream = own.messages.stream(request).on("text", (piece) => (text += piece));
                await stream.finalMessage();
            } catch (error) {
                assert(error instanceof APIError, String(error));
                return { class: "APIError", type: error.type, after: text };
            }
        }
        try {
            const message = await own.messages.create(request);
            return { class: null, text: message.content[0].text };
        } catch (error) {
            assert(error instanceof APIError, String(error));
            return {
                class: error.name,
                status: error.status,
                type: error.type,
                message: error.apiMessage,
                request_id: (error.requestID ?? "").startsWith("req_"),
                retry: error.headers.get("x-should-retry"),
            };
        }
    },

    // With its usual settings the SDK tries again by itself what may be tried again.
    async retries() {
        const message = await new Anthropic(SETTINGS).messages.create(ask());
        return { text: message.content[0].text };
    },

    async count_tokens() {
        const { input_tokens } = await client.messages.countTokens({
            model: MODEL,
            system: "Be brief.",
            tools: [WEATHER],
            messages: [{ role: "user", content: "hello there" }],
        });
        return { counted: input_tokens > 10 && input_tokens < 400 };
    },

    async models() {
        const ids = [];
        for await (const model of client.models.list({ limit: 1000 })) {
            assert(model.display_name && model.type === "model");
            ids.push(model.id);
        }
        const answer = await client.messages.create({ ...ask(), model: ids[0] });
        return { ids, usable: answer.model === ids[0] };
    },

    async cancel() {
        const stream = client.messages.stream(ask());
        const first = await new Promise((resolve) => stream.on("text", resolve));
        stream.abort();
        await stream.done().catch((error) => assert.equal(error.name, "APIUserAbortError"));
        return { first };
    },

    async stop_sequence() {
        const message = await client.messages.create(ask("hi", { stop_sequences: ["</block>"] }));
        return {
            text: message.content[0].text,
            stop_reason: message.stop_reason,
            stopped_at: message.stop_sequence,
        };
    },

    async effort() {
        const message = await client.messages.create(ask("hi", { output_config: { effort: "high" } }));
        return { text: message.content[0].text };
    },
};

console.log(JSON.stringify(await scenarios[process.argv[2]]()));
