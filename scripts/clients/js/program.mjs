// How a client program is run: node <program> <client> <base URL> <model> <embedding model> <scenario>:<run>:<key> ...
//
// The same as python/program.py: each program gives `main` its clients; a function of one makes the call that its name says and returns
// [text, tokens], tokens being [input, output] as the client shows them, or null where it shows none. One JSON line is printed for each scenario.

const SECONDS = 90;
const CALLS = { limited: "chat", refused: "chat", failing: "chat", cut: "stream", split: "stream", torso: "stream" };

export const WEATHER = {
  name: "weather",
  description: "The weather of a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
};

export function called(name, given) {
  const { city } = typeof given === "string" ? JSON.parse(given) : given;
  return `${name} ${city}`;
}

export async function main(clients) {
  // A stream that breaks behind an SDK's back must not end the program before it has told what the SDK said.
  process.on("unhandledRejection", () => {});
  const [name, base, model, embeddingModel, ...asked] = process.argv.slice(2);
  for (const one of asked) {
    const [scenario, run, key] = one.split(":");
    const at = { base, key, model, embeddingModel, prompt: `This is scenario ${scenario} of run ${run}.` };
    console.log(JSON.stringify({ scenario, ...(await outcome(clients[name], scenario, at)) }));
  }
  process.exit(0);
}

async function outcome(client, scenario, at) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`no end within ${SECONDS} s`)), SECONDS * 1000).unref());
  try {
    const [text, tokens] = await Promise.race([client[CALLS[scenario] ?? scenario](at), late]);
    return { ok: true, text, tokens, error: null };
  } catch (error) {
    return { ok: false, text: null, tokens: null, error: described(error) };
  }
}

function described(error) {
  const name = error?.constructor?.name ?? typeof error;
  const detail = [error?.error, error?.body, error?.data, error?.cause?.message].map((part) => (part ? JSON.stringify(part) : "")).join(" ");
  const status = error?.status ?? error?.statusCode ?? error?.lastError?.statusCode;
  return { class: name, message: `${error?.message ?? JSON.stringify(error)} ${detail}`.slice(0, 2000), status: Number.isInteger(status) ? status : null };
}
