// Requests to the server. Every failure becomes a RequestError with a message for the user.

export class RequestError extends Error {
  constructor(message, { retryAfter = 0, unreachable = false } = {}) {
    super(message);
    this.retryAfter = retryAfter; // seconds
    this.unreachable = unreachable;
  }
}

const UNREACHABLE = "The server does not respond. Check that it is running and that you are connected.";

export async function fetchResponse(path, { method = "GET", json, body, signal } = {}) {
  const headers = json === undefined ? {} : { "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: json === undefined ? body : JSON.stringify(json) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError(UNREACHABLE, { unreachable: true });
  }
  if (!response.ok) throw toError(response.status, await response.text(), response.headers.get("Retry-After"));
  return response;
}

export async function fetchJson(path, options) {
  return (await fetchResponse(path, options)).json();
}

/** Upload a file and report the share sent so far, which fetch cannot do. */
export function upload(path, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(new RequestError(UNREACHABLE, { unreachable: true }));
    request.onload = () => {
      if (request.status < 400) resolve(JSON.parse(request.responseText));
      else reject(toError(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    request.send(file);
  });
}

function toError(status, text, retryAfter) {
  let message = `The server responded with status ${status}.`;
  try {
    message = JSON.parse(text).error;
  } catch {
    // Not from this server, for example the error page of a proxy.
  }
  return new RequestError(message, { retryAfter: Number(retryAfter) || 0 });
}
