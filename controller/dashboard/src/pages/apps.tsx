// Apps and their releases. Signing is on the operators' machines: this page shows the command.
import { useEffect } from "preact/hooks";
import { Card, Command, Mark, Waiting } from "../parts";
import { ReleasesOverTime } from "../release_plot";
import { useResource } from "../resource";
import { appAddress, devicesAddress } from "../route";
import type { App, Long, Release, Session } from "../types";
import * as words from "../words";
import type { Sign } from "../words";

const kReleasesShown = 20;

export function AppsPage() {
  const { data } = useResource<{ apps?: App[] }>("/v1/apps", {
    matters: (event) => event.rollout !== undefined,
  });
  useEffect(() => {
    document.title = "Apps · Unifleet";
  }, []);
  if (!data) return <Waiting what="the apps" />;
  const apps = data.apps ?? [];
  return (
    <>
      <h1>Apps</h1>
      {apps.length === 0 && (
        <Card title="No app yet">
          <p class="soft">In a folder with a manifest.yml:</p>
          <Command lines={["fleetctl keys delegate dns", "fleetctl push dns --to edge"]} />
        </Card>
      )}
      <div class="app-cards">
        {apps.map((app) => {
          const running = [...(app.running ?? [])].sort(
            (a, b) => words.num(b.release) - words.num(a.release),
          );
          return (
            <section key={app.name} class="card app-card" aria-label={app.name}>
              <h2>
                <a href={appAddress(app.name)}>{app.name}</a>
              </h2>
              <p class="soft">{app.description}</p>
              <ul>
                {running.map((one) => (
                  <li key={String(one.release)}>
                    <Mark
                      sign={
                        one.release === app.wanted_release ? ["●", "good", ""] : ["◇", "old", ""]
                      }
                      word={`${app.name} ${one.release}`}
                    />
                    <span class="soft">on {words.count(one.devices ?? 0, "device")}</span>
                  </li>
                ))}
                {running.length === 0 && <li class="soft">runs nowhere</li>}
              </ul>
              <p class="soft">
                newest {words.num(app.newest_release)}, wanted{" "}
                {words.num(app.wanted_release) || "none"}
              </p>
            </section>
          );
        })}
      </div>
    </>
  );
}

function signOf(release: Release, app: App | undefined): Sign | undefined {
  if (release.yanked) return ["✘", "bad", "yanked"];
  if (release.number === app?.wanted_release) return ["●", "good", "wanted"];
  if (release.devices) return ["◇", "old", "old"];
  return release.listed ? undefined : ["○", "gone", "no longer listed"];
}

interface Image {
  arch?: string;
  platform?: string;
  kernel?: { size_bytes?: Long };
}

function imagesOf(release: Release): string {
  const images = (release.manifest?.images ?? []) as Image[];
  return images
    .map((image) => {
      const name = `${image.arch ?? ""}/${image.platform ?? ""}`.toLowerCase();
      return `${name} ${words.size(image.kernel?.size_bytes)}`;
    })
    .join(", ");
}

export function AppPage({ name, session }: { name: string; session: Session }) {
  const { data: apps } = useResource<{ apps?: App[] }>("/v1/apps");
  const { data, refused } = useResource<{ releases?: Release[] }>(
    `/v1/apps/${encodeURIComponent(name)}/releases`,
    { matters: (event) => event.rollout !== undefined },
  );
  useEffect(() => {
    document.title = `${name} · Unifleet`;
  }, [name]);
  if (refused) return <Card title={name}>{refused.message}</Card>;
  if (!data || !apps) return <Waiting what={name} />;
  const app = apps.apps?.find((one) => one.name === name);
  const releases = data.releases ?? [];
  // Further back than the newest: one that runs somewhere is known to run.
  const back = releases.slice(1).find((one) => one.devices && !one.yanked);
  const vars = Object.entries(
    (releases[0]?.manifest?.vars ?? {}) as Record<
      string,
      { type?: string; default?: string; from?: string }
    >,
  );
  return (
    <>
      <div class="page-head">
        <h1>{name}</h1>
        <p class="soft">{app?.description}</p>
      </div>
      <ReleasesOverTime apps={[name]} only />
      <Card title="Releases">
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Release</th>
                <th scope="col">State</th>
                <th scope="col">Runs on</th>
                <th scope="col">Images</th>
                <th scope="col">Signed by key</th>
                <th scope="col">Manifest</th>
                <th scope="col">Pushed</th>
              </tr>
            </thead>
            <tbody>
              {releases.slice(0, kReleasesShown).map((release) => {
                const sign = signOf(release, app);
                return (
                  <tr key={String(release.number)}>
                    <td>
                      <strong>
                        {name} {release.number}
                      </strong>
                    </td>
                    <td>{sign && <Mark sign={sign} />}</td>
                    <td>
                      <a href={devicesAddress({ search: name })}>
                        {words.count(release.devices ?? 0, "device")}
                      </a>
                    </td>
                    <td class="soft">{imagesOf(release)}</td>
                    <td>
                      <code>{(release.key_id ?? "").slice(0, 8)}</code>
                    </td>
                    <td>
                      <code>{(release.manifest_sha256 ?? "").slice(0, 8)}</code>
                    </td>
                    <td class="soft">
                      {release.by || "?"}, {words.ago(release.created_ms)}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
        {releases.length > kReleasesShown && (
          <p class="soft">
            and {releases.length - kReleasesShown} older: <code>fleetctl releases {name}</code>
          </p>
        )}
      </Card>
      {vars.length > 0 && (
        <Card title="Values per device">
          <ul class="vars">
            {vars.map(([key, value]) => (
              <li key={key}>
                <code>{key}</code> {(value.type ?? "").replace("VAR_", "").toLowerCase()}
                <span class="soft">
                  {value.from
                    ? ` from ${value.from}`
                    : value.default
                      ? ` default ${value.default}`
                      : ""}
                </span>
              </li>
            ))}
          </ul>
        </Card>
      )}
      <Card title="What needs a signature">
        <p class="soft">
          This page and its controller hold no key of an app, so they cannot sign a release. On your
          own machine{session.role === "viewer" ? ", with a deployer's token" : ""}:
        </p>
        <Command
          lines={[
            `fleetctl push ${name} --to SELECTOR`,
            `fleetctl rollback ${name} --release ${back?.number ?? "N"} --to SELECTOR`,
            `fleetctl yank ${name} ${releases[0]?.number ?? "N"}`,
          ]}
        />
      </Card>
    </>
  );
}
