// An app on a device: its two slots, which of them is live, and how it does.
import { useMemo } from "preact/hooks";
import { send } from "../api";
import { Act, Card, Mark } from "../parts";
import { useResource } from "../resource";
import { appAddress, go, rolloutAddress, whyAddress } from "../route";
import type { Device, DeviceApp, Rollout, Sample, Session, Slot } from "../types";
import * as words from "../words";
import { mayChange } from "./rollout_acts";

const kTicks = 60;
const kHourMs = 60 * 60 * 1000;

function SlotCard(props: { name: string; slot: Slot | undefined; live: boolean; app: DeviceApp }) {
  const { slot = {}, live, app } = props;
  const release = words.num(slot.release);
  const sign = words.slotSign(slot.state);
  return (
    <div class={`slot ${live ? "live" : ""} ${sign[1]}`}>
      <div class="slot-head">
        <span class="slot-name">{props.name}</span>
        {live && <span class="live-mark">▶ live</span>}
      </div>
      <p class="slot-release">{release ? `${app.app} ${release}` : "empty"}</p>
      {release > 0 && (
        <p>
          <Mark sign={sign} />
          {slot.yanked && (
            <>
              {" "}
              <Mark sign={["✘", "bad", "yanked"]} />
            </>
          )}
          {words.num(slot.since_ms) > 0 && (
            <span class="soft"> for {words.age(slot.since_ms)}</span>
          )}
        </p>
      )}
      {slot.why?.text && <p class={sign[1] === "bad" ? "bad" : "soft"}>{slot.why.text}</p>}
    </div>
  );
}

/** One tick for each of the newest samples: up, down, or nothing known. */
function HealthTrace({ device, app }: { device: Device; app: DeviceApp }) {
  const { data } = useResource<{ samples?: Sample[] }>(
    `/v1/devices/${encodeURIComponent(device.name)}/history`,
    { matters: () => false, every_ms: 20000 },
  );
  const ticks = useMemo(() => {
    // Those that are no sums of ten minutes.
    const since = Date.now() - kHourMs;
    const samples = (data?.samples ?? [])
      .filter(({ at_ms }) => words.num(at_ms) > since)
      .slice(-kTicks);
    return samples.map((sample) => sample.apps?.find((one) => one.app === app.app)?.healthy);
  }, [data, app.app]);
  const known = ticks.filter((healthy) => healthy !== undefined);
  if (known.length === 0) return null;
  return (
    <div class="trace">
      <span class="soft">
        healthy in {known.filter(Boolean).length} of the last {words.count(known.length, "sample")}
      </span>
      <span class="ticks" aria-hidden="true">
        {ticks.map((healthy, index) => (
          <i key={index} class={healthy === undefined ? "gone" : healthy ? "good" : "bad"} />
        ))}
      </span>
    </div>
  );
}

function Acts({ device, app, session }: { device: Device; app: DeviceApp; session: Session }) {
  if (!mayChange(session)) return null;
  const live = words.num(app.live_release);
  const other = app.live_slot === "A" ? app.b : app.a;
  const back = other?.state === "GOOD" && !other.yanked ? words.num(other.release) : 0;
  const order = (kind: string) => async () => {
    const body = { app: app.app, selector: device.name, kind };
    const begun = await send<Rollout>("POST", "/v1/orders", body);
    go(rolloutAddress(begun.id));
  };
  return (
    <div class="acts">
      {back > 0 && back !== live && (
        <Act
          label={`Revert to ${app.app} ${back}`}
          danger
          effect={`Revert ${device.name} to ${app.app} ${back}`}
          explain={
            <p>
              It goes back to the good release in its other slot, now and without a signature.
              Beyond the manifest's fallback window it keeps what runs and shows “held”.
            </p>
          }
          act={order("ORDER_REVERT")}
        />
      )}
      {live > 0 && !app.stopped && (
        <Act
          label={`Restart ${app.app}`}
          effect={`Restart ${app.app} on ${device.name}`}
          explain={<p>Its guest is stopped and started again; clients lose what they had open.</p>}
          act={order("ORDER_RESTART")}
        />
      )}
    </div>
  );
}

export function AppOnDevice(props: { device: Device; app: DeviceApp; session: Session }) {
  const { device, app } = props;
  const { instance } = app;
  const state = app.stopped ? words.stateSign("STOPPED") : words.stateSign(app.state);
  const runs = device.online && instance?.id;
  const limit = words.num(instance?.memory_limit_bytes);
  const facts = runs
    ? [
        `up ${words.lasting(instance.up_ms)}`,
        `${words.size(instance.memory_bytes)}${limit ? ` of ${words.size(limit)}` : ""}`,
        `${((instance.cpu_permille ?? 0) / 10).toFixed(1)}% CPU`,
        instance.restarts ? words.count(instance.restarts, "restart") : "",
        instance.monitor ?? "",
        (app.ports ?? []).join(", "),
        instance.address ?? "",
        app.spare?.healthy ? "warm spare waits" : "",
      ].filter(Boolean)
    : [];
  return (
    <Card
      title={app.app}
      id={`h-app-${app.app}`}
      class="device-app"
      side={
        device.online ? (
          <Mark sign={state} />
        ) : (
          <Mark sign={["○", "gone", `unknown, was ${state[2]} ${words.ago(device.seen_ms)}`]} />
        )
      }
    >
      <div class="slots">
        <SlotCard name="A" slot={app.a} live={app.live_slot === "A"} app={app} />
        <SlotCard name="B" slot={app.b} live={app.live_slot === "B"} app={app} />
      </div>
      <p class="soft figures">{facts.join(" · ")}</p>
      <HealthTrace device={device} app={app} />
      <p class="links">
        <a href={appAddress(app.app)}>Releases of {app.app}</a>
        <a href={whyAddress(device.name)}>Why it runs what it runs</a>
      </p>
      <Acts {...props} />
    </Card>
  );
}
