// One scenario with OpenAI's JavaScript SDK: `node openai.mjs NAME`, with BASE_URL, TOKEN and CLIENTS (where the packages
// are) in the environment.
//
// Prints what the caller got as one line of JSON, which the Rust test compares. openai.py prints the same.

import { createRequire } from "node:module";

const require = createRequire(process.env.CLIENTS + "/package.json");
const { default: OpenAI, APIError } = require("openai");
const { zodTextFormat, zodResponseFormat } = require("openai/helpers/zod");
const { z } = require("zod");

const MODEL = process.env.MODEL ?? "gpt-6.1-sol";
const PNG =
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const parameters = {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
};
const about = { name: "get_weather", description: "The weather of a city", parameters };
const WEATHER = { type: "function", ...about, strict: true };
const CHAT_WEATHER = { type: "function", function: about };

const SETTINGS = { baseURL: process.env.BASE_URL + "/v1", apiKey: process.env.TOKEN };
const client = new OpenAI({ ...SETTINGS, maxRetries: 0 });

const Person = z.object({
    name: z.string(),
    age: z.number().int(),
    nicknames: z.array(z.string()),
    email: z.string().nullable(),
});

const chat = (content = "hi", more = {}) => ({ model: MODEL, messages: [{ role: "user", content }], ...more });
const spent = (usage) => [
    usage.input_tokens,
    usage.input_tokens_details.cached_tokens,
    usage.output_tokens,
    usage.output_tokens_details.reasoning_tokens,
];
const chatSpent = (usage) => [
    usage.prompt_tokens,
    usage.prompt_tokens_details.cached_tokens,
    usage.completion_tokens,
    usage.completion_tokens_details.reasoning_tokens,
];

const failing = async (ask) => {
    try {
        await ask();
    } catch (error) {
        if (!(error instanceof APIError)) throw error;
        return { kind: error.constructor.name, status: error.status ?? null, code: error.code ?? null };
    }
    return null;
};

const scenarios = {
    async responses_create() {
        const response = await client.responses.create({ model: MODEL, input: "say hello", instructions: "Be brief." });
        return {
            text: response.output_text,
            status: response.status,
            model: response.model,
            usage: spent(response.usage),
            request_id: response._request_id.startsWith("req_"),
        };
    },

    async responses_stream() {
        let text = "";
        const stream = client.responses.stream({ model: MODEL, input: "hi" });
        for await (const event of stream) {
            if (event.type === "response.output_text.delta") text += event.delta;
        }
        const response = await stream.finalResponse();
        return { text, same: response.output_text === text, usage: spent(response.usage) };
    },

    async responses_tools() {
        const first = await client.responses.create({ model: MODEL, input: "Weather in Oslo?", tools: [WEATHER] });
        const call = first.output.find((item) => item.type === "function_call");
        const output = "sun in " + JSON.parse(call.arguments).city;
        const second = await client.responses.create({
            model: MODEL,
            previous_response_id: first.id,
            input: [{ type: "function_call_output", call_id: call.call_id, output }],
            tools: [WEATHER],
        });
        return { name: call.name, text: second.output_text, previous: second.previous_response_id === first.id };
    },

    async responses_replay() {
        const said = [{ role: "user", content: "Weather in Oslo?" }];
        const ask = () => client.responses.create({ model: MODEL, input: said, tools: [WEATHER], store: false });
        const first = await ask();
        const call = first.output.find((item) => item.type === "function_call");
        said.push(...first.output, { type: "function_call_output", call_id: call.call_id, output: "sun in Oslo" });
        return { text: (await ask()).output_text };
    },

    async responses_parse() {
        const format = zodTextFormat(Person, "person");
        const response = await client.responses.parse({ model: MODEL, input: "Who?", text: { format } });
        return response.output_parsed;
    },

    async chat_create() {
        const completion = await client.chat.completions.create(chat("say hello", { reasoning_effort: "high" }));
        const [choice] = completion.choices;
        return {
            text: choice.message.content,
            reasoning: choice.message.reasoning_content,
            reason: choice.finish_reason,
            model: completion.model,
            usage: chatSpent(completion.usage),
            request_id: completion._request_id.startsWith("req_"),
        };
    },

    async chat_stream() {
        let text = "";
        let usage;
        const reasons = [];
        const asked = chat("hi", { stream: true, stream_options: { include_usage: true } });
        for await (const chunk of await client.chat.completions.create(asked)) {
            usage = chunk.usage ?? usage;
            for (const choice of chunk.choices) {
                text += choice.delta.content ?? "";
                if (choice.finish_reason) reasons.push(choice.finish_reason);
            }
        }
        return { text, reasons, usage: chatSpent(usage) };
    },

    async chat_tools() {
        const said = [{ role: "user", content: "Weather in Oslo and Bergen?" }];
        const stream = client.chat.completions.stream({ model: MODEL, messages: said, tools: [CHAT_WEATHER] });
        const first = (await stream.finalChatCompletion()).choices[0];
        const city = (call) => JSON.parse(call.function.arguments).city;
        const { tool_calls: calls } = first.message;
        said.push(first.message);
        for (const call of calls) {
            said.push({ role: "tool", tool_call_id: call.id, content: "sun in " + city(call) });
        }
        const second = await client.chat.completions.create({ model: MODEL, messages: said, tools: [CHAT_WEATHER] });
        return {
            calls: calls.map((call) => [call.function.name, city(call)]),
            reason: first.finish_reason,
            text: second.choices[0].message.content,
        };
    },

    async chat_parse() {
        const asked = chat("Who?", { response_format: zodResponseFormat(Person, "person") });
        return (await client.chat.completions.parse(asked)).choices[0].message.parsed;
    },

    async chat_media() {
        const content = [
            { type: "text", text: "Look." },
            { type: "image_url", image_url: { url: PNG } },
        ];
        return { text: (await client.chat.completions.create(chat(content))).choices[0].message.content };
    },

    async models() {
        const ids = [];
        for await (const model of client.models.list()) ids.push(model.id);
        return { ids, one: (await client.models.retrieve(MODEL)).id };
    },

    async errors() {
        const stranger = new OpenAI({ ...SETTINGS, apiKey: "wrong", maxRetries: 0 });
        return {
            key: await failing(() => stranger.responses.create({ model: MODEL, input: "hi" })),
            model: await failing(() => client.chat.completions.create({ ...chat(), model: "gpt-0" })),
            request: await failing(() => client.chat.completions.create(chat("hi", { n: 2 }))),
        };
    },

    async limit() {
        const patient = new OpenAI({ ...SETTINGS, maxRetries: 3 });
        return failing(() => patient.responses.create({ model: MODEL, input: "hi" }));
    },

    async broken() {
        const drain = async (stream) => {
            const events = [];
            for await (const event of stream) events.push(event);
            return events;
        };
        const events = await drain(await client.responses.create({ model: MODEL, input: "hi", stream: true }));
        const last = events.at(-1);
        const asked = chat("hi", { stream: true });
        const chatBroken = async () => drain(await client.chat.completions.create(asked));
        return { chat: (await failing(chatBroken)).kind, last: last.type, code: last.response.error.code };
    },
};

console.log(JSON.stringify(await scenarios[process.argv[2]]()));
