// What a person does with the dashboard, in the order of a day.
import assert from "node:assert/strict";
import { Window } from "./browser.mjs";
import { audit } from "./steps_audit.mjs";
import { labels, why } from "./steps_device.mjs";
import { waves } from "./steps_waves.mjs";

export async function run(world) {
  const window = await Window.open(world);
  await firstLook(world, window);
  await aPush(world, window);
  await aFailure(world, window);
  await why(world, window);
  await labels(world, window);
  await goingBack(world, window);
  await callingOff(world, window);
  await audit(world, window);
  await byKeyboard(world, window);
  await lostLine(world, window);
  await session(world, window);
  await window.close();
  await viewer(world);
  await many(world);
  await ofAGroup(world);
  await phoneAndDark(world);
  await thousand(world);
}

async function many(world) {
  const window = await Window.open(world);
  await window.go("/");
  await window.logIn();
  await window.sees("live", "#live");
  await waves(world, window);
  await window.close();
}

async function firstLook(world, window) {
  await window.go("/");
  await window.shot("01-login");
  await window.logIn("not-a-token");
  await window.sees("this token is not known here");
  world.ok("a wrong token is refused in words");
  await window.logIn();
  await window.sees("waiting for the first device…");
  await window.sees("live", "#live");
  await window.shot("02-empty");
  await window.isAccessible();
  world.ok("an empty fleet teaches how to enrol");
  const said = await window.page.evaluate(() =>
    [
      document.cookie,
      JSON.stringify({ ...localStorage }),
      JSON.stringify({ ...sessionStorage }),
    ].join(),
  );
  assert.ok(!said.includes(world.token), "no script sees the token");
  const cookie = (await window.context.cookies()).find(({ name }) => name === "__Host-fleet");
  assert.deepEqual(
    [cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path],
    [true, true, "Strict", "/"],
  );
  world.ok("the session's cookie is HttpOnly, Secure and SameSite=Strict");
  await world.outside("devices");
  await window.sees("3 online", ".sums li:nth-child(1)");
  await window.sees("lyon");
  world.ok("devices come by themselves, without a reload");
}

async function aPush(world, window) {
  const { page } = window;
  await world.outside("push");
  await window.sees("r-1 push dns 1");
  await window.sees("succeeded", ".rollout");
  await window.sees(/3 healthy/, ".rollout");
  world.ok("a push is followed to its end");
  await window.sees("Nothing needs you.");
  await page.click("nav >> text=Rollouts");
  await window.sees("push dns 1");
  await page.click("text=r-1");
  await window.sees("dns 1 is live on 3 of 3 devices");
  await window.counts(".card .dots a", 3);
  await window.shot("03-rollout", { fullPage: true });
  world.ok("the rollout's page shows each device as a dot and a row");
}

async function aFailure(world, window) {
  const { page } = window;
  await page.click("nav >> text=Fleet");
  await world.outside("push_crash");
  await window.sees("dns 2 reverted on 3 devices");
  await window.sees("3 reverted or failed", ".sums li:nth-child(4)");
  world.ok("one fault of three devices is one line of what needs a person");
  await page.click(".needs summary");
  await window.shot("04-needs-you");
  await window.isAccessible();
  await page.click("text=Open r-2");
  await window.sees("One fault");
  await window.shot("05-rollout-failed", { fullPage: true });
  await window.isAccessible();
  await page.click("text=Flight record of");
  await window.sees("▶ live", ".slot.live");
  await window.sees("dns 1", ".slot.live");
  await window.sees(/dns 2\s*✘\s*bad/, ".slot");
  await window.sees(/listening on/, "#console");
  world.ok("a device shows both slots, the live one marked, and its console");
  await page.locator(".flight summary").first().click();
  await window.sees(/fault [0-9a-f]{8}/, ".flight .more");
  await window.shot("06-device", { fullPage: true });
  await window.isAccessible();
  world.ok("the flight record of a guest that failed can be read");
  await page.click("#console >> xpath=../.. >> text=Pause");
  await window.sees("▲ paused");
}

async function goingBack(world, window) {
  const { page } = window;
  await world.outside("push_changed");
  await page.click("nav >> text=Fleet");
  await window.sees(/r-3 push dns 1 → 3/);
  await window.sees(/succeeded/, ".rollout");
  await page.click(".rollout h3 a");
  await page.click(".acts >> text=Revert");
  await window.sees("Revert 3 devices to dns 1?");
  await window.shot("07-revert-asks");
  await page.click("dialog[open] >> text=Leave it");
  await window.counts("dialog[open]", 0);
  await page.click(".acts >> text=Revert");
  await page.click("dialog[open] button.strong");
  await window.sees(/r-4 revert/);
  await window.sees("succeeded", ".page-head");
  world.ok("Revert asks once, names its effect, and is followed");
  await page.click("nav >> text=Apps");
  await window.sees("dns 1");
  await window.shot("08-apps");
  await page.click(".app-card a");
  await window.sees("What needs a signature");
  await window.sees(/fleetctl push dns/);
  await window.shot("09-app", { fullPage: true });
  await window.isAccessible();
  world.ok("an app's page shows its releases, and the command for what needs a signature");
}

async function callingOff(world, window) {
  const { page } = window;
  await page.click("nav >> text=Fleet");
  await world.outside("stop_devices");
  await window.sees("3 offline", ".sums li:nth-child(2)");
  await world.outside("push_changed");
  await page.click(".rollout h3 >> text=r-5");
  await window.sees("running", ".page-head");
  await page.click(".acts >> text=Abort");
  await page.click("dialog[open] button.strong");
  await window.sees("aborted", ".page-head");
  world.ok("Abort calls a running rollout off");
  await world.outside("start_devices");
  await page.click("nav >> text=Fleet");
  await window.sees("3 online", ".sums li:nth-child(1)");
}

async function byKeyboard(world, window) {
  const { page } = window;
  await page.keyboard.press("?");
  await window.sees("search devices, labels, apps and rollouts");
  await window.shot("10-keys");
  await page.keyboard.press("Escape");
  await window.counts("dialog[open]", 0);
  await window.goesBy("gr", "/rollouts");
  await window.sees("Newest first");
  await page.keyboard.press("/");
  await page.keyboard.type("edge-2");
  await window.sees("edge-2", "#hits");
  await window.shot("11-search");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/devices/edge-2");
  await page.keyboard.press("/");
  await page.keyboard.type("site=paris");
  await window.sees("edge-3", "#hits");
  await page.keyboard.press("Escape");
  world.ok("keys search, go to pages and tell themselves");
  // From the top of the page to a device, by Tab and Enter alone.
  await window.go("/devices?selector=site%3Dparis");
  await window.sees("1 of 3 devices");
  for (let presses = 0; presses < 60; ++presses) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => document.activeElement?.textContent);
    if (at === "edge-3") break;
  }
  await page.keyboard.press("Enter");
  await page.waitForURL("**/devices/edge-3");
  world.ok("a device is reached by Tab and Enter alone, and a selector is an address");
  await window.go("/devices?selector=site%3Dlyonn");
  await window.sees("Nearest");
  await window.sees("lyon");
  world.ok("a selector that matches nothing is told the nearest word");
}

async function lostLine(world, window) {
  await window.go("/");
  await window.sees("live", "#live");
  await world.outside("stop_controller");
  await window.sees(/stale since \d\d:\d\d/, "#live");
  await window.shot("12-stale");
  await window.isAccessible();
  await world.outside("start_controller");
  await window.sees("live", "#live");
  await window.sees("3 online", ".sums li:nth-child(1)");
  world.ok("a lost controller is told, what was known stays, and the session outlives its restart");
  // A stored span begins at a full ten minutes.
  const { samples } = await window.page.evaluate(async () =>
    (await fetch("/v1/devices/edge-1/history")).json(),
  );
  assert.ok(samples.some(({ at_ms }) => Number(at_ms) % 600000 === 0));
  world.ok("what a device measured outlives it, too");
}

async function session(world, window) {
  const { page } = window;
  const change = (headers) =>
    page.evaluate(
      async (sent) =>
        (await fetch("/v1/rollouts/r-5/abort", { method: "POST", headers: sent })).status,
      headers,
    );
  assert.equal(await change({}), 403);
  assert.equal(await change({ "X-CSRF-Token": "guessed" }), 403);
  const { csrf } = await page.evaluate(async () => (await fetch("/v1/session")).json());
  assert.notEqual(await change({ "X-CSRF-Token": csrf }), 403);
  world.ok("a change without the session's token is refused");
  await page.click("summary:has-text('admin')");
  await page.click("#leave");
  await window.sees("Log in");
  await window.go("/devices");
  await window.sees("Log in");
  world.ok("who logs out is logged out");
  for (let tries = 0; tries < 10; ++tries) {
    const answer = page.waitForResponse("**/v1/session");
    await window.logIn("wrong");
    await (await answer).finished();
  }
  await window.logIn("wrong");
  await window.sees(/too many wrong tokens/);
  world.ok("wrong tokens are counted, and more are refused for a while");
}

async function viewer(world) {
  await world.outside("stop_controller"); // forgets who tried too often
  await world.outside("start_controller");
  const window = await Window.open(world);
  await window.go("/rollouts/r-3");
  await window.logIn("a-viewers-token");
  await window.sees(/r-3 push/);
  assert.equal(await window.page.locator(".acts button").count(), 0);
  const refused = await window.page.evaluate(async () => {
    const { csrf } = await (await fetch("/v1/session")).json();
    const headers = { "X-CSRF-Token": csrf };
    return (await fetch("/v1/rollouts/r-3/abort", { method: "POST", headers })).status;
  });
  assert.equal(refused, 403);
  await window.go("/devices/edge-1");
  await window.sees("Console");
  assert.equal(await window.page.getByRole("button", { name: /Edit labels|Revoke/ }).count(), 0);
  world.ok("a viewer sees everything and has no button");
  await window.close();
}

// Sixty devices of another group are there; for this token they are not.
async function ofAGroup(world) {
  const window = await Window.open(world);
  const { page } = window;
  await window.go("/");
  await window.logIn("a-groups-token");
  await window.sees("3 online", ".sums li:nth-child(1)");
  await window.sees("0 offline", ".sums li:nth-child(2)");
  await window.sees("lyon", ".tiles");
  await window.seesNot("rome");
  await window.shot("24-of-a-group", { fullPage: true });
  await window.isAccessible();
  await window.go("/devices");
  await window.sees("3 of 3 devices");
  await window.go("/rollouts");
  await window.sees("r-4");
  await window.counts("main >> text=/r-6/", 0);
  await window.go("/rollouts/r-6");
  await window.sees("no rollout r-6");
  await window.go("/audit");
  await window.sees(/for edge alone: ask an admin for one without groups/);
  await window.go("/devices/edge-1");
  await page.getByRole("button", { name: "Edit labels" }).waitFor();
  world.ok("a token of a group has its own fleet, with no trace of others");
  await window.close();
}

const kPages = [
  ["fleet", "/", "online"],
  ["rollouts", "/rollouts", "Newest first"],
  ["rollout", "/rollouts/r-2", "One fault"],
  ["waves", "/rollouts/r-8", "One fault"],
  ["devices", "/devices", "62 of 62 devices"],
  ["device", "/devices/edge-1", "Console"],
  ["why", "/devices/edge-1/why", "as wanted"],
  ["app", "/apps/dns", "What needs a signature"],
  ["audit", "/audit", "verified to"],
];

async function phoneAndDark(world) {
  for (const [name, options] of [
    ["phone", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true }],
    ["dark", { colorScheme: "dark" }],
    ["still", { reducedMotion: "reduce" }],
  ]) {
    const window = await Window.open(world, options);
    await window.go("/");
    await window.logIn();
    await window.sees("live", "#live");
    for (const [page, path, text] of kPages) {
      await window.go(path);
      await window.sees(text);
      await window.fits();
      await window.isAccessible();
      if (name !== "still") await window.shot(`${name}-${page}`, { fullPage: name === "phone" });
    }
    if (name === "still") {
      const moving = await window.page.evaluate(
        () =>
          [...document.querySelectorAll("*")].filter(
            (node) => Number.parseFloat(getComputedStyle(node).transitionDuration) > 0,
          ).length,
      );
      assert.equal(moving, 0);
    }
    await window.close();
    world.ok(`every page fits and can be read: ${name}`);
  }
}

async function thousand(world) {
  await world.outside("thousand");
  const window = await Window.open(world);
  const { page } = window;
  await window.go("/");
  await window.logIn();
  await window.sees("1,059 offline", ".sums li:nth-child(2)").catch(() => undefined);
  await window.shot("20-thousand-fleet", { fullPage: true });
  // Figures for the README, no verdict: time is the machine's.
  for (const path of ["/", "/devices", "/rollouts/r-1000"]) {
    await window.go(path);
    await window.sees("live", "#live");
    const figures = await page.evaluate(() => {
      const paint = performance.getEntriesByName("first-contentful-paint")[0];
      const bytes = performance
        .getEntriesByType("resource")
        .reduce((sum, one) => sum + one.transferSize, 0);
      return {
        paint: Math.round(paint?.startTime ?? 0),
        now: Math.round(performance.now()),
        bytes,
      };
    });
    world.say(
      `figure: ${path} first paint ${figures.paint} ms, live ${figures.now} ms, ${figures.bytes} bytes`,
    );
  }
  await window.sees(/1,000 devices/);
  await window.counts(".dots a", 1000);
  await window.shot("21-thousand-rollout");
  await window.go("/devices");
  await window.sees(/1,062 of 1,062 devices/);
  const rows = await page.locator(".device-rows > li").count();
  assert.ok(rows < 120, `${rows} rows are in the document`);
  await page.mouse.wheel(0, 22100);
  await window.sees("sim-0600");
  await window.shot("22-thousand-devices");
  const frames = await page.evaluate(async () => {
    const times = [];
    let last = performance.now();
    for (let frame = 0; frame < 60; ++frame) {
      scrollBy(0, 120);
      await new Promise(requestAnimationFrame);
      times.push(performance.now() - last);
      last = performance.now();
    }
    times.sort((a, b) => a - b);
    return { median: times[30].toFixed(1), worst: times[59].toFixed(1) };
  });
  world.say(
    `figure: scrolling 1,062 devices, a frame takes ${frames.median} ms, at worst ${frames.worst}`,
  );
  await window.isAccessible();
  await window.go("/devices/edge-1");
  // The second sample comes 20 s after the first.
  await page.locator(".three canvas").nth(2).waitFor({ timeout: 90000 });
  await window.sees(/healthy in \d+ of the last/, ".trace");
  await window.shot("23-measured", { fullPage: true });
  world.ok("what a device measured is drawn");
  await window.close();
  world.ok("a thousand devices: counts first, rows as they are scrolled to");
}
