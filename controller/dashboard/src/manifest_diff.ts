// What two signed manifests say differently, one attribute a line, as `fleetctl push` shows it.
import type { Long } from "./types";
import { lasting, size } from "./words";

export interface Difference {
  name: string; // "images.x86_64/spt"
  before: string | undefined;
  after: string | undefined;
}

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
type Attributes = Map<string, string>;

const isObject = (value: Json): value is { [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

// In the unit that the field's name ends with.
function textOf(name: string, value: string | number | boolean | null): string {
  if (name.endsWith("_bytes")) return size(value as Long);
  if (name.endsWith("_ms")) return lasting(value as Long);
  if (name.endsWith("_percent")) return `${value}%`;
  return String(value);
}

// What an entry of a list is known by.
function keyOf(entry: { [name: string]: Json }, index: number): string {
  if (entry.arch && entry.platform) return `${entry.arch}/${entry.platform}`.toLowerCase();
  for (const name of ["name", "path", "key"]) {
    if (typeof entry[name] === "string" && entry[name]) return entry[name] as string;
  }
  return String(index);
}

// What nobody wrote.
const isDefault = (value: Json) =>
  value === "" ||
  value === false ||
  String(value) === "0" ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === "string" && value.endsWith("_UNSPECIFIED"));

function add(name: string, value: Json, out: Attributes) {
  if (isDefault(value)) return;
  if (Array.isArray(value)) {
    if (value.every(isObject)) {
      value.forEach((entry, index) => add(`${name}.${keyOf(entry, index)}`, entry, out));
    } else {
      out.set(name, JSON.stringify(value));
    }
  } else if (!isObject(value)) {
    const label = name.replace(/_(bytes|ms|percent)$/, "");
    out.set(label, textOf(name, value));
  } else if (isObject(value.kernel ?? null)) {
    // An image: its name says for what, its bytes what it is.
    const { kernel, initrd = null, disk = null } = value;
    add(name, kernel!, out);
    if (initrd) add(`${name}.initrd`, initrd, out);
    if (disk) add(`${name}.disk`, disk, out);
  } else if (typeof value.sha256 === "string") {
    out.set(name, `sha256:${value.sha256.slice(0, 8)}  ${size(value.size_bytes as Long)}`);
  } else {
    for (const [field, inner] of Object.entries(value))
      add(name ? `${name}.${field}` : field, inner, out);
  }
}

function attributesOf(manifest: Record<string, unknown>): Attributes {
  const { release: _, name: __, version: ___, ...rest } = manifest as { [name: string]: Json };
  const out: Attributes = new Map();
  add("", rest, out);
  return out;
}

export function differences(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
): Difference[] {
  const old = attributesOf(before);
  const fresh = attributesOf(after);
  const names = [...new Set([...old.keys(), ...fresh.keys()])].sort();
  return names
    .map((name) => ({ name, before: old.get(name), after: fresh.get(name) }))
    .filter((one) => one.before !== one.after);
}
