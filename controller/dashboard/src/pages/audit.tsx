// Who changed what, from where: the audit log, newest first.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, Refused } from "../api";
import { useEvents } from "../live";
import { Card, Moment, Waiting } from "../parts";
import { auditAddress, go, rolloutAddress } from "../route";
import type { AuditEntry, AuditPage as Page, Long } from "../types";
import { num } from "../words";
import { Chain, useChain, Verdict } from "./audit_chain";

const kAtOnce = 100;
const kPauseMs = 500;
const kFilters = ["who", "action", "object"] as const;
type Filter = Partial<Record<(typeof kFilters)[number], string>>;

interface Log {
  entries?: AuditEntry[];
  newest: number; // of the whole log, whatever the filter
  whole: boolean;
  refused?: Refused;
}

// The newest entries that the filter lets through, more of them when asked; read again when
// something happened.
function useLog(filter: Filter): Log & { more: () => void } {
  const address = auditAddress(filter);
  const [log, setLog] = useState<Log>({ newest: 0, whole: false });
  const current = useRef(address);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  current.current = address;
  const read = async (before?: Long) => {
    const query = new URLSearchParams({ limit: String(kAtOnce), ...filter });
    if (before) query.set("before", String(before));
    try {
      const page = await get<Page>(`/v1/audit?${query}`);
      if (current.current !== address) return;
      const got = page.entries ?? [];
      const isWhole = got.length < kAtOnce;
      const newest = num(page.head?.sequence);
      setLog((old) => {
        if (before) return { ...old, entries: [...(old.entries ?? []), ...got], whole: isWhole };
        // Older pages that were asked for stay below.
        const last = num(got.at(-1)?.sequence);
        const kept = isWhole ? [] : (old.entries ?? []).filter((one) => num(one.sequence) < last);
        return {
          entries: [...got, ...kept],
          newest,
          whole: isWhole || (kept.length > 0 && old.whole),
        };
      });
    } catch (error) {
      if (error instanceof Refused) setLog((old) => ({ ...old, refused: error }));
    }
  };
  useEffect(() => {
    setLog((old) => ({ newest: old.newest, whole: false }));
    void read();
  }, [address]);
  useEvents(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => void read(), kPauseMs);
  }, [address]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return { ...log, more: () => void read(log.entries?.at(-1)?.sequence) };
}

function Filters({ filter, entries }: { filter: Filter; entries: AuditEntry[] }) {
  const known = (name: keyof Filter) =>
    [...new Set(entries.map((entry) => entry[name] ?? ""))].filter(Boolean).sort();
  return (
    <form class="filters" onSubmit={(event) => event.preventDefault()} aria-label="Filter">
      {kFilters.map((name) => (
        <label key={name}>
          {name}
          <input
            key={filter[name] ?? ""}
            list={`known-${name}`}
            defaultValue={filter[name] ?? ""}
            placeholder="any"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            onChange={(event) =>
              go(auditAddress({ ...filter, [name]: event.currentTarget.value.trim() }))
            }
          />
          <datalist id={`known-${name}`}>
            {known(name).map((value) => (
              <option key={value} value={value} />
            ))}
          </datalist>
        </label>
      ))}
      {Object.values(filter).some(Boolean) && (
        <a class="quiet" href="/audit">
          Show all
        </a>
      )}
    </form>
  );
}

// What a click narrows the list to.
function Narrow({ filter, name, value }: { filter: Filter; name: keyof Filter; value: string }) {
  if (filter[name] === value) return <>{value}</>;
  return <a href={auditAddress({ ...filter, [name]: value })}>{value}</a>;
}

function EntryRow({ entry, filter }: { entry: AuditEntry; filter: Filter }) {
  const { object = "" } = entry;
  return (
    <tr>
      <td class="number soft">#{num(entry.sequence)}</td>
      <td>
        <Moment ms={entry.at_ms} />
      </td>
      <td>
        {entry.who ? (
          <Narrow filter={filter} name="who" value={entry.who} />
        ) : (
          <span class="soft">nobody known</span>
        )}
        {entry.from && <span class="soft"> from {entry.from}</span>}
      </td>
      <td>
        <Narrow filter={filter} name="action" value={entry.action ?? ""} />
      </td>
      <td>
        {object && <Narrow filter={filter} name="object" value={object} />}{" "}
        <span class="soft">{entry.detail}</span>{" "}
        {/^r-\d+$/.test(object) && (
          <a class="soft" href={rolloutAddress(object)}>
            open
          </a>
        )}
      </td>
      <td>
        <code title={entry.hash}>{(entry.hash ?? "").slice(0, 8)}</code>
      </td>
    </tr>
  );
}

export function AuditPage({ query }: { query: URLSearchParams }) {
  const filter: Filter = {};
  for (const name of kFilters) {
    const value = query.get(name);
    if (value) filter[name] = value;
  }
  const { entries, newest, whole, refused, more } = useLog(filter);
  const { found, all } = useChain(newest);
  useEffect(() => {
    document.title = "Audit · Unifleet";
  }, []);
  if (refused && !entries) {
    return (
      <>
        <h1>Audit</h1>
        <Card title="Not for this token">
          <p class="soft">{refused.message}.</p>
        </Card>
      </>
    );
  }
  return (
    <>
      <div class="page-head chain">
        <h1>Audit</h1>
        {newest > 0 && <Verdict found={found} />}
      </div>
      <Card
        title="Who changed what"
        side={newest > 0 && <span class="soft">newest #{newest.toLocaleString("en")}</span>}
      >
        <Filters filter={filter} entries={entries ?? []} />
        {entries === undefined && <Waiting what="the audit log" />}
        {entries?.length === 0 && (
          <p class="soft">
            {newest > 0 ? "Nobody did such a thing. " : "Nothing has been changed yet."}
            {newest > 0 && <a href="/audit">Show all</a>}
          </p>
        )}
        {entries !== undefined && entries.length > 0 && (
          <div class="scroll">
            <table class="audit">
              <thead>
                <tr>
                  <th scope="col" class="number">
                    #
                  </th>
                  <th scope="col">When</th>
                  <th scope="col">Who</th>
                  <th scope="col">What</th>
                  <th scope="col">To what</th>
                  <th scope="col">Hash</th>
                </tr>
              </thead>
              <tbody>
                {entries.map((entry) => (
                  <EntryRow key={String(entry.sequence)} entry={entry} filter={filter} />
                ))}
              </tbody>
            </table>
          </div>
        )}
        {entries !== undefined && entries.length > 0 && !whole && (
          <p>
            <button type="button" onClick={more}>
              Show older ones
            </button>
          </p>
        )}
      </Card>
      {newest > 0 && <Chain found={found} all={all} />}
    </>
  );
}
