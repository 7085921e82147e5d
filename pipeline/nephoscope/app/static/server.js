// Talking with the server: every failure becomes a Refusal whose message a person can read.

export class Refusal extends Error {
  constructor(message, { retryAfter = 0, unreachable = false } = {}) {
    super(message);
    this.retryAfter = retryAfter;
    this.unreachable = unreachable;
  }
}

const UNREACHABLE = "The server does not answer. Is it still running, and the network there?";

export async function ask(path, { method = "GET", json, body, signal } = {}) {
  const headers = json === undefined ? {} : { "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: json === undefined ? body : JSON.stringify(json) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(UNREACHABLE, { unreachable: true });
  }
  if (!response.ok) throw refusal(response.status, await response.text(), response.headers.get("Retry-After"));
  return response;
}

export async function askJson(path, options) {
  return (await ask(path, options)).json();
}

/** Sends a file, and tells on the way which share of it is there. fetch cannot tell. */
export function send(path, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(new Refusal(UNREACHABLE, { unreachable: true }));
    request.onload = () => {
      if (request.status < 400) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    request.send(file);
  });
}

function refusal(status, text, retryAfter) {
  let message = `The server answered ${status}.`;
  try {
    message = JSON.parse(text).error;
  } catch {
    // Not ours, such as a proxy's page: the number has to do.
  }
  return new Refusal(message, { retryAfter: Number(retryAfter) || 0 });
}
