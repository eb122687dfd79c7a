// The frame around every page: who is logged in, where one is, and whether what is shown is live.
import { useEffect, useState } from "preact/hooks";
import { logIn, onSessionEnd, Refused, resume } from "./api";
import { Header } from "./header";
import { Help, useKeys } from "./keys";
import * as live from "./live";
import { AppPage, AppsPage } from "./pages/apps";
import { AuditPage } from "./pages/audit";
import { DevicePage } from "./pages/device";
import { DevicesPage } from "./pages/devices";
import { Login } from "./pages/login";
import { OverviewPage } from "./pages/overview";
import { RolloutPage } from "./pages/rollout";
import { RolloutsPage } from "./pages/rollouts";
import { usePlace } from "./route";
import type { Session } from "./types";

/** The token of quickstart's address, "#token=...", which no server sees; taken out of it at once. */
function takeToken(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

function Page({
  path,
  query,
  session,
}: {
  path: string;
  query: URLSearchParams;
  session: Session;
}) {
  const [, first = "", second = "", third = ""] = path.split("/");
  if (first === "rollouts") {
    return second ? <RolloutPage key={second} id={second} session={session} /> : <RolloutsPage />;
  }
  if (first === "devices") {
    if (second) {
      return <DevicePage key={second} name={second} tab={third} session={session} />;
    }
    return <DevicesPage query={query} />;
  }
  if (first === "apps") {
    return second ? <AppPage key={second} name={second} session={session} /> : <AppsPage />;
  }
  if (first === "audit") return <AuditPage query={query} />;
  return <OverviewPage session={session} />;
}

export function App() {
  const [session, setSession] = useState<Session | null>();
  const [problem, setProblem] = useState("");
  const place = usePlace();
  const [helping, setHelping] = useState(false);
  useKeys(() => setHelping(true), session != null);

  useEffect(() => {
    onSessionEnd(() => {
      live.stop();
      setSession(null);
      setProblem("Your session is over. Log in again.");
    });
    const begin = async () => {
      const token = takeToken();
      try {
        setSession(token ? await logIn(token) : await resume());
      } catch (error) {
        setSession(null);
        if (token) setProblem((error as Error).message);
        else if (!(error instanceof Refused)) setProblem("The controller does not answer.");
      }
    };
    void begin();
    const again = () => {
      if (location.hash.startsWith("#token=")) void begin();
    };
    addEventListener("hashchange", again);
    return () => removeEventListener("hashchange", again);
  }, []);
  useEffect(() => {
    if (session) void live.start();
  }, [session]);

  if (session === undefined) return null;
  if (session === null) {
    return (
      <Login
        problem={problem}
        onLogin={(now) => {
          setProblem("");
          setSession(now);
        }}
      />
    );
  }
  return (
    <>
      <a class="skip" href="#page">
        To the page
      </a>
      <Header
        path={place.path}
        session={session}
        onHelp={() => setHelping(true)}
        onLogout={() => setSession(null)}
      />
      <main id="page" tabIndex={-1}>
        <Page path={place.path} query={place.query} session={session} />
      </main>
      {helping && <Help onClose={() => setHelping(false)} />}
    </>
  );
}
