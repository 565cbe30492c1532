// Requests to the service: the token, refusals in words, server-sent events.

const TOKEN = /^[ -~]+$/; // what a header can hold
const kept = sessionStorage.getItem("token") ?? "";
let token = TOKEN.test(kept) ? kept : "";
let asking = null;

/**
 * A request that came to nothing; status 0 where nobody answered, retryAfter in seconds where trying again helps, shrunk
 * what the service would make of a photo that is too large.
 */
export class Refusal extends Error {
  constructor(status, detail, retryAfter, shrunk) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
    this.shrunk = shrunk;
  }
}

/** fetch with the token; gives an answer that is ok, throws Refusal or AbortError. */
export async function ask(path, options = {}) {
  for (;;) {
    const used = token;
    const headers = used ? { Authorization: `Bearer ${used}` } : {};
    const answer = await fetch(path, { ...options, headers }).catch(unreachable);
    if (answer.ok) return answer;
    if (answer.status !== 401) throw await refusal(answer);
    if (used === token) await (asking ??= askToken());
  }
}

/** The body of an answer, as "json" or "blob"; one that is cut off is a Refusal of status 0. */
export async function read(kind, path, options) {
  return (await ask(path, options))[kind]().catch(unreachable);
}

/** Read the events under a path until they end; take(kind, data) is called for each. */
export async function events(path, signal, take) {
  const answer = await ask(path, { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read().catch(unreachable);
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/)));
      if (fields.event) take(fields.event, fields.data);
    }
  }
}

/** Wait; rejects with the signal's reason once it is aborted. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}

function unreachable(error) {
  if (!(error instanceof TypeError)) throw error; // which is what a connection that fails or is cut off throws
  throw new Refusal(0, "The service does not answer; trying again.", 2);
}

async function refusal(answer) {
  const problem = await answer.json().catch(() => ({}));
  const detail = problem.detail ?? `The service answered ${answer.status} ${answer.statusText}.`;
  return new Refusal(answer.status, detail, Number(answer.headers.get("Retry-After")) || undefined, problem.shrunk);
}

/** Have a person type the token; all requests wait for the one answer. */
async function askToken() {
  const dialog = document.getElementById("asked");
  const input = document.getElementById("token");
  const why = document.getElementById("why");
  if (token) why.textContent = "That token is not the service's; give another.";
  let given;
  do {
    input.value = "";
    await new Promise((resolve) => {
      dialog.addEventListener("close", resolve, { once: true });
      dialog.showModal();
    });
    given = input.value.trim();
    why.textContent = "That holds other characters than a token's letters, digits and signs; give it without them.";
  } while (given && !TOKEN.test(given));
  asking = null;
  if (!given) throw new Refusal(401, "The service wants a token; reload the page to give it.");
  token = given;
  sessionStorage.setItem("token", token);
}
