// Requests to the controller. The browser's cookie says who asks; what changes something also says
// the session's token, which no other site can read.
import type { Session } from "./types";

const kAnswerMs = 15000;

/** The controller said no; its words are for people. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

let session: Session | undefined;
let ended = () => {};

/** Who is told when the session is over. */
export function onSessionEnd(tell: () => void) {
  ended = tell;
}

export async function request(
  path: string,
  init: RequestInit & { patient?: boolean } = {},
): Promise<Response> {
  const headers = new Headers(init.headers);
  if (init.method && init.method !== "GET") headers.set("X-CSRF-Token", session?.csrf ?? "login");
  if (init.body) headers.set("Content-Type", "application/json");
  const signal = init.patient ? init.signal : AbortSignal.timeout(kAnswerMs);
  const answer = await fetch(path, { ...init, headers, signal, credentials: "same-origin" });
  if (answer.ok) return answer;
  const said = (await answer.json().catch(() => ({}))) as { message?: string };
  const refused = new Refused(answer.status, said.message || `${path}: status ${answer.status}`);
  if (answer.status === 401 && session) {
    session = undefined;
    ended();
  }
  throw refused;
}

export async function get<T>(path: string): Promise<T> {
  return (await request(path)).json() as Promise<T>;
}

export async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const answer = await request(path, init);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** The session of this browser's cookie. */
export async function resume(): Promise<Session> {
  session = await get<Session>("/v1/session");
  return session;
}

export async function logIn(token: string): Promise<Session> {
  session = await send<Session>("POST", "/v1/session", { token });
  return session;
}

export async function logOut(): Promise<void> {
  await send("DELETE", "/v1/session");
  session = undefined;
}
