// The audit log's hash chain, recomputed in this browser as ota/audit_chain.h says, and compared
// with the end that this browser saw before. It shows a log that was rewritten by whoever could not
// also rewrite this page: fleetctl audit verify is the check that does not ask the controller.
import { get } from "./api";
import type { AuditEntry, AuditPage } from "./types";
import { num } from "./words";

const kStart = "0".repeat(64);
const kPage = 1000;
const kSeen = "audit-end"; // in localStorage: "SEQUENCE HASH"
const encoder = new TextEncoder();

export interface End {
  sequence: number;
  hash: string;
}

/** Every entry from `first` to `end` follows from the one before it. */
export interface Sound {
  first: number;
  end: End;
  seen: End | undefined; // of an earlier visit, and it is in there
}

export class Broken extends Error {
  constructor(
    readonly sequence: number,
    what: string,
  ) {
    super(what);
  }
}

export async function hashOf(previous: string, entry: AuditEntry): Promise<string> {
  const fields = [
    String(num(entry.sequence)),
    String(num(entry.at_ms)),
    entry.who,
    entry.from,
    entry.action,
    entry.object,
    entry.detail,
  ];
  // The length counts bytes.
  const text = fields.map((field = "") => `${encoder.encode(field).length}:${field},`);
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(previous + text.join("")));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function seenEnd(): End | undefined {
  const [, sequence, hash] = localStorage.getItem(kSeen)?.match(/^(\d+) ([0-9a-f]{64})$/) ?? [];
  return sequence && hash ? { sequence: Number(sequence), hash } : undefined;
}
export const keepEnd = ({ sequence, hash }: End) =>
  localStorage.setItem(kSeen, `${sequence} ${hash}`);
/** A person says that what was seen before is of no worth: after an older backup. */
export const forgetEnd = () => localStorage.removeItem(kSeen);

function compare(entry: AuditEntry, end: End | undefined) {
  if (end?.sequence === num(entry.sequence) && end.hash !== entry.hash) {
    throw new Broken(end.sequence, "it is not the entry that this browser saw before");
  }
}

/**
 * Walks from the log's end down to entry `least`, to what was checked before, and in any case to
 * what was seen before. Throws Broken, or what a request throws.
 */
export async function check(least: number, before: Sound | undefined): Promise<Sound> {
  const seen = before?.seen ?? seenEnd();
  const known = before && before.first <= least ? before.end : undefined;
  const goal = Math.max(1, known ? known.sequence : Math.min(least, seen?.sequence ?? least));
  let above: AuditEntry | undefined; // whose hash needs that of the one below it
  let end: End | undefined;
  let next = 0; // the entry that must come now
  do {
    const page = await get<AuditPage>(
      `/v1/audit?limit=${kPage}${above ? `&before=${next + 1}` : ""}`,
    );
    const entries = page.entries ?? [];
    if (!above) {
      end = { sequence: num(page.head?.sequence), hash: page.head?.hash ?? kStart };
      next = end.sequence;
      if (seen && next < seen.sequence) {
        throw new Broken(next + 1, `this browser saw entry ${seen.sequence}, and it is gone`);
      }
      if (next > 0 && entries[0]?.hash !== end.hash) {
        throw new Broken(next, "its hash is not the one that the log's end names");
      }
    }
    if (next > 0 && entries.length === 0) throw new Broken(next, "it is missing");
    for (const entry of entries) {
      if (num(entry.sequence) !== next) throw new Broken(next, "it is missing");
      compare(entry, seen);
      compare(entry, known);
      if (above && (await hashOf(entry.hash ?? "", above)) !== above.hash) {
        throw new Broken(next + 1, "it, or one before it, was changed");
      }
      above = entry;
      --next;
    }
  } while (next >= goal && next > 0);
  if (above && next === 0 && (await hashOf(kStart, above)) !== above.hash) {
    throw new Broken(1, "it was changed");
  }
  // The lowest one that was read has nobody below it to be compared with.
  const first = next === 0 ? Math.min(1, end!.sequence) : next + 2;
  return { first: known ? Math.min(first, before!.first) : first, end: end!, seen };
}
