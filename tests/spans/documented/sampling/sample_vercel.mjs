// Samples what the AI SDK writes: node sample_vercel.mjs FOLDER... > raw.json, each with its own node_modules.
//
// The packages are real, only the network is not: `fetch` answers in the providers' own words, so
// that what the SDK makes of a usage object is its own doing. A folder holds ai, @ai-sdk/openai,
// @ai-sdk/anthropic, @ai-sdk/google, @ai-sdk/amazon-bedrock, zod, @opentelemetry/api and
// @opentelemetry/sdk-trace-base, of versions that fit, and from ai 7 on @ai-sdk/otel. Prints JSON;
// `cost.py` beside this adds what each call costs.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const PROMPT = "What is next?";
const USAGE = {
  chat: {
    prompt_tokens: 7054, completion_tokens: 431, total_tokens: 7485,
    prompt_tokens_details: { cached_tokens: 4224, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 128, audio_tokens: 0 },
  },
  responses: {
    input_tokens: 10062, input_tokens_details: { cached_tokens: 6016 },
    output_tokens: 798, output_tokens_details: { reasoning_tokens: 319 }, total_tokens: 10860,
  },
  anthropic: {
    input_tokens: 2390, cache_creation_input_tokens: 1592, cache_read_input_tokens: 832,
    cache_creation: { ephemeral_5m_input_tokens: 592, ephemeral_1h_input_tokens: 1000 },
    output_tokens: 310, service_tier: "standard",
  },
  google: {
    promptTokenCount: 5200, cachedContentTokenCount: 4096, candidatesTokenCount: 210,
    thoughtsTokenCount: 640, totalTokenCount: 6050,
  },
  bedrock: {
    inputTokens: 1200, outputTokens: 300, totalTokens: 5596,
    cacheReadInputTokens: 3072, cacheWriteInputTokens: 1024,
  },
  embeddings: { prompt_tokens: 44, total_tokens: 44 },
};
const MODELS = {
  chat: "gpt-4.1", responses: "gpt-5.1", anthropic: "claude-haiku-4-5",
  google: "gemini-2.5-flash", bedrock: "us.anthropic.claude-haiku-4-5-20251001-v1:0",
  embeddings: "text-embedding-3-large",
};
const ANSWERED = { chat: "gpt-4.1-2025-04-14", responses: "gpt-5.1-2025-11-13",
  anthropic: "claude-haiku-4-5-20251001", google: "gemini-2.5-flash" };
const SERVED = { chat: "openai", responses: "openai", embeddings: "openai",
  anthropic: "anthropic", google: "gcp.gemini", bedrock: "aws.bedrock" };
const IDS = { chat: "chatcmpl-1", responses: "resp_1", anthropic: "msg_1" };

const message = (usage, content) => ({
  id: IDS.anthropic, type: "message", role: "assistant", model: ANSWERED.anthropic, content,
  stop_reason: "end_turn", stop_sequence: null, usage,
});
const BODIES = {
  chat: () => ({
    id: IDS.chat, object: "chat.completion", created: 1767225600, model: ANSWERED.chat,
    choices: [{ index: 0, message: { role: "assistant", content: "Wool." }, finish_reason: "stop" }],
    usage: USAGE.chat,
  }),
  responses: () => ({
    id: IDS.responses, object: "response", created_at: 1767225600, model: ANSWERED.responses,
    status: "completed", error: null, incomplete_details: null, service_tier: "default",
    output: [{
      id: "msg_1", type: "message", role: "assistant", status: "completed",
      content: [{ type: "output_text", text: "Wool.", annotations: [] }],
    }],
    usage: USAGE.responses,
  }),
  anthropic: () => message(USAGE.anthropic, [{ type: "text", text: "Wool." }]),
  google: () => ({
    candidates: [{ content: { role: "model", parts: [{ text: "Wool." }] }, finishReason: "STOP",
      index: 0 }],
    usageMetadata: USAGE.google, modelVersion: ANSWERED.google, responseId: "g1",
  }),
  bedrock: () => ({
    output: { message: { role: "assistant", content: [{ text: "Wool." }] } },
    stopReason: "end_turn", usage: USAGE.bedrock, metrics: { latencyMs: 10 },
  }),
  embeddings: () => ({
    object: "list", model: MODELS.embeddings, usage: USAGE.embeddings,
    data: [{ object: "embedding", index: 0, embedding: [0.1, 0.2] }],
  }),
};
const STREAMS = {
  chat: () => [
    { choices: [{ index: 0, delta: { role: "assistant", content: "Wool." }, finish_reason: null }] },
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
    { choices: [], usage: USAGE.chat },
  ].map((chunk) => ({
    id: IDS.chat, object: "chat.completion.chunk", created: 1767225600, model: ANSWERED.chat, ...chunk,
  })),
  anthropic: () => [
    { type: "message_start",
      message: { ...message({ ...USAGE.anthropic, output_tokens: 1 }, []), stop_reason: null } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Wool." } },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: USAGE.anthropic.output_tokens } },
    { type: "message_stop" },
  ],
};

function network(kind, streamed) {
  return async () => {
    if (!streamed) {
      return new Response(JSON.stringify(BODIES[kind]()), {
        headers: { "content-type": "application/json" },
      });
    }
    const events = STREAMS[kind]().map((event) => `data: ${JSON.stringify(event)}\n\n`);
    return new Response(events.join("") + (kind === "chat" ? "data: [DONE]\n\n" : ""), {
      headers: { "content-type": "text/event-stream" },
    });
  };
}

async function sample(folder) {
  const within = createRequire(resolve(folder, "package.json"));
  const load = async (name) => import(within.resolve(name)).catch(() => within(name));
  const version = (name) => {
    const file = resolve(folder, "node_modules", name, "package.json");
    return JSON.parse(readFileSync(file, "utf8")).version;
  };
  const packages = { ai: version("ai") };
  const major = Number(packages.ai.split(".")[0]);
  const api = within("@opentelemetry/api");
  const sdk = within("@opentelemetry/sdk-trace-base");
  const exporter = new sdk.InMemorySpanExporter();
  const begun = new Map();
  const provider = new sdk.BasicTracerProvider({
    spanProcessors: [
      { onStart: (span) => begun.set(span.spanContext().spanId, { ...span.attributes }),
        onEnd() {}, forceFlush: async () => {}, shutdown: async () => {} },
      new sdk.SimpleSpanProcessor(exporter),
    ],
  });
  api.trace.disable();
  api.trace.setGlobalTracerProvider(provider);
  const ai = await load("ai");
  const of = { chat: "openai", responses: "openai", embeddings: "openai", anthropic: "anthropic",
    google: "google", bedrock: "amazon-bedrock" };
  const made = async (kind, streamed) => {
    const name = `@ai-sdk/${of[kind]}`;
    packages[name] = version(name);
    const module = await load(name);
    const create = Object.entries(module).find(([key]) =>
      /^create(OpenAI|Anthropic|Google|GoogleGenerativeAI|AmazonBedrock)$/.test(key))[1];
    const client = create({
      apiKey: "key", fetch: network(kind, streamed),
      ...(kind === "bedrock" && { region: "us-east-1", accessKeyId: "a", secretAccessKey: "b" }),
    });
    if (kind === "embeddings") return (client.textEmbeddingModel ?? client.embedding)(MODELS[kind]);
    if (kind === "chat") return client.chat(MODELS[kind]);
    return kind === "responses" ? client.responses(MODELS[kind]) : client(MODELS[kind]);
  };
  const calls = [];
  const styles = major < 7 ? [["", () => {}]] : await (async () => {
    packages["@ai-sdk/otel"] = version("@ai-sdk/otel");
    const otel = await load("@ai-sdk/otel");
    const use = (telemetry) => () => { globalThis.AI_SDK_TELEMETRY_INTEGRATIONS = [telemetry]; };
    return [
      [" @ai-sdk/otel", use(new otel.OpenTelemetry())],
      [" legacy", use(new otel.LegacyOpenTelemetry())],
    ];
  })();
  const variants = styles.flatMap(([style, use]) =>
    major === 6 ? [[style, use], [`${style} private`, use]] : [[style, use]]);
  for (const [style, use] of variants) {
    use();
    const told = !style.endsWith("private");
    const telemetry = {
      isEnabled: true, functionId: "plan", recordInputs: false, recordOutputs: told,
    };
    for (const [kind, streamed] of [["chat"], ["chat", true], ["responses"], ["anthropic"],
      ["anthropic", true], ["google"], ["bedrock"], ["embeddings"]]) {
      const model = await made(kind, streamed);
      const asked = { model, experimental_telemetry: telemetry, telemetry };
      if (kind === "embeddings") await ai.embed({ ...asked, value: "wool" });
      else if (!streamed) await ai.generateText({ ...asked, prompt: PROMPT });
      else for await (const _ of ai.streamText({ ...asked, prompt: PROMPT }).textStream);
      await new Promise((done) => setTimeout(done, 20));
      calls.push({
        call: `ai ${major}${style} ${kind}${streamed ? " stream" : ""}`,
        server: null,
        ledger: [{ response_id: IDS[kind] ?? null, model: ANSWERED[kind] ?? MODELS[kind],
          provider: SERVED[kind], api: kind, status: 200, usage: USAGE[kind], reported: true }],
        spans: exporter.getFinishedSpans().map((span, number) => ({
          scope: { name: (span.instrumentationScope ?? span.instrumentationLibrary).name,
            version: (span.instrumentationScope ?? span.instrumentationLibrary).version ?? "" },
          name: span.name,
          span_id: span.spanContext().spanId,
          parent_id: span.parentSpanContext?.spanId ?? span.parentSpanId ?? null,
          at_start: begun.get(span.spanContext().spanId),
          attributes: { ...span.attributes },
        })),
      });
      exporter.reset();
      begun.clear();
    }
  }
  return { packages, calls };
}

const found = [];
for (const folder of process.argv.slice(2)) found.push(await sample(folder));
process.stdout.write(JSON.stringify(found));
