// Server-sent events by fetch: unlike an EventSource it notices a silent line and a refusal.
import { request } from "./api";

const kSilenceMs = 40000; // the server says something every 15 s

/** Ends when the line does; throws when it was refused or fell silent. */
export async function readStream(
  path: string,
  lastId: string,
  signal: AbortSignal,
  onOpen: () => void,
  onData: (data: string, id: string) => void,
): Promise<void> {
  const quiet = new AbortController();
  const headers = { accept: "text/event-stream", ...(lastId && { "last-event-id": lastId }) };
  const both = AbortSignal.any([signal, quiet.signal]);
  const answer = await request(path, { headers, signal: both, patient: true });
  onOpen();
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let watch: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      clearTimeout(watch);
      watch = setTimeout(() => quiet.abort(new Error("silence")), kSilenceMs);
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        let id = "";
        let data = "";
        for (const line of block.split("\n")) {
          if (line.startsWith("id: ")) id = line.slice(4);
          if (line.startsWith("data: ")) data += line.slice(6);
        }
        if (data) onData(data, id);
      }
    }
  } finally {
    clearTimeout(watch);
  }
}
