// What each kit needs to be told: docs/SDKS.md and the page /api/docs show this table.

/** @type {{kit: string, mode: string, retry: string}[]} Markdown: code in backticks. */
export const KITS = [
  {
    kit: 'OpenAI, Python',
    mode: 'as it is',
    retry: '`client._idempotency_header = "Idempotency-Key"` once, or `extra_headers={"Idempotency-Key": key}` in a call',
  },
  {
    kit: 'OpenAI, TypeScript',
    mode: 'as it is',
    retry: "`client.idempotencyHeader = 'Idempotency-Key'` once, in a subclass or through `as any` (it is protected), or `{ headers: { 'Idempotency-Key': key } }` as a call's second argument",
  },
  { kit: 'OpenAI Agents SDK, Python', mode: '`set_default_openai_api("chat_completions")`', retry: 'a client with the line above: `set_default_openai_client(client)`' },
  { kit: 'OpenAI Agents SDK, TypeScript', mode: "`setOpenAIAPI('chat_completions')`", retry: 'a client with the line above: `setDefaultOpenAIClient(client)`' },
  {
    kit: 'Vercel AI SDK',
    mode: "`createOpenAI({ baseURL, apiKey }).chat('provider/model')`, for the provider called by itself means Responses; or `createOpenAICompatible`",
    retry: "`headers: { 'Idempotency-Key': key }` in `generateText` or `streamText`",
  },
  { kit: 'LangChain, Python', mode: '`ChatOpenAI(base_url=..., use_responses_api=False)`', retry: '`llm.invoke(messages, extra_headers={"Idempotency-Key": key})`' },
  {
    kit: 'LangChain, TypeScript',
    mode: '`new ChatOpenAI({ useResponsesApi: false, configuration: { baseURL } })`',
    retry: "`llm.invoke(messages, { options: { headers: { 'Idempotency-Key': key } } })`",
  },
  { kit: 'LiteLLM', mode: '`model="openai/<provider>/<model>"`, `api_base=...`', retry: '`extra_headers={"Idempotency-Key": key}` with `num_retries`' },
];

const HEAD = ['kit', 'mode', 'a retry that costs nothing'];

/** The table as Markdown. */
export function kitsAsMarkdown() {
  return [HEAD, HEAD.map(() => '---'), ...KITS.map(({ kit, mode, retry }) => [kit, mode, retry])].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
