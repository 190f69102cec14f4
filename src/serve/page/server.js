// Requests to the server that this page came from.
import {keep, kept} from "./storage.js";

let token = "";

// A token in the address is taken out of it, so that a shared address does not give it away.
export function takeToken() {
  const address = new URL(location.href);
  token = address.searchParams.get("token") || kept("sessionStorage", "token") || "";
  if (!address.searchParams.has("token")) return;
  setToken(token);
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

export function setToken(text) {
  token = text;
  keep("sessionStorage", "token", text);
}

export const hasToken = () => token !== "";

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// The answer as an object. Throws Refused; with status 0 when there is no answer.
export async function call(path, options = {}) {
  const headers = Object.assign({}, options.headers, token ? {Authorization: "Bearer " + token} : {});
  let response;
  try {
    response = await fetch(path, Object.assign({}, options, {headers}));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.error || String(response.status));
  return answer;
}

export function post(path, blob, fields, signal) {
  const form = new FormData();
  form.append("file", blob, "picture");
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
  return call(path, {method: "POST", body: form, signal});
}
