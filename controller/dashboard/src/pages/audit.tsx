// Who changed what, from where: the audit log, newest first.
import { useEffect, useState } from "preact/hooks";
import { get, Refused } from "../api";
import { Card, Command, Moment, Waiting } from "../parts";
import type { Long } from "../types";
import { num } from "../words";

const kAtOnce = 100;

interface Entry {
  sequence: Long;
  at_ms: Long;
  who?: string;
  from?: string;
  action?: string;
  object?: string;
  detail?: string;
  hash?: string;
}
interface Audit {
  entries?: Entry[];
  head?: { sequence: Long; hash?: string };
}

export function AuditPage() {
  const [entries, setEntries] = useState<Entry[]>();
  const [head, setHead] = useState<Audit["head"]>();
  const [whole, setWhole] = useState(false);
  const [refused, setRefused] = useState<Refused>();
  const read = async (before?: Long) => {
    try {
      const more = await get<Audit>(
        `/v1/audit?limit=${kAtOnce}${before ? `&before=${before}` : ""}`,
      );
      const got = more.entries ?? [];
      setEntries((old) => [...(before ? (old ?? []) : []), ...got]);
      if (!before) setHead(more.head);
      setWhole(got.length < kAtOnce);
    } catch (error) {
      if (error instanceof Refused) setRefused(error);
    }
  };
  useEffect(() => {
    document.title = "Audit · Unifleet";
    void read();
  }, []);
  if (refused) {
    return (
      <Card title="Audit">
        {refused.status === 404 ? (
          <p class="soft">This controller keeps no audit log yet.</p>
        ) : (
          <p class="soft">{refused.message}. An admin can give you a token with that role.</p>
        )}
      </Card>
    );
  }
  return (
    <>
      <h1>Audit</h1>
      <Card
        title="Who changed what"
        side={head && <span class="soft">newest #{num(head.sequence)}</span>}
      >
        {entries === undefined && <Waiting what="the audit log" />}
        {entries?.length === 0 && <p class="soft">Nothing has been changed yet.</p>}
        {entries !== undefined && entries.length > 0 && (
          <div class="scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">#</th>
                  <th scope="col">When</th>
                  <th scope="col">Who</th>
                  <th scope="col">What</th>
                  <th scope="col">Object</th>
                  <th scope="col">From</th>
                  <th scope="col">Hash</th>
                </tr>
              </thead>
              <tbody>
                {entries.map((entry) => (
                  <tr key={String(entry.sequence)}>
                    <td class="number">{num(entry.sequence)}</td>
                    <td>
                      <Moment ms={entry.at_ms} />
                    </td>
                    <td>{entry.who}</td>
                    <td>{entry.action}</td>
                    <td>
                      {entry.object} <span class="soft">{entry.detail}</span>
                    </td>
                    <td class="soft">{entry.from}</td>
                    <td>
                      <code>{(entry.hash ?? "").slice(0, 8)}</code>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        {entries !== undefined && entries.length > 0 && !whole && (
          <p>
            <button type="button" onClick={() => void read(entries[entries.length - 1]?.sequence)}>
              Show older ones
            </button>
          </p>
        )}
      </Card>
      <Card title="Verify the chain">
        <p class="soft">
          Each entry holds the hash of the one before. Your own machine checks them:
        </p>
        <Command lines="fleetctl audit verify" />
      </Card>
    </>
  );
}
