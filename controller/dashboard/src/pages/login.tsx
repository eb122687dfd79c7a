import { useState } from "preact/hooks";
import { logIn } from "../api";
import type { Session } from "../types";

export function Login(props: { problem: string; onLogin: (session: Session) => void }) {
  const [problem, setProblem] = useState(props.problem);
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem("token");
    const input = field as HTMLInputElement;
    setBusy(true);
    try {
      props.onLogin(await logIn(input.value.trim()));
    } catch (error) {
      setProblem((error as Error).message);
      input.select();
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="login">
      <form onSubmit={submit}>
        <h1>
          <img src="/icon.svg" alt="" width="34" height="34" /> Unifleet
        </h1>
        <label for="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          autofocus
          aria-describedby="hint"
          aria-invalid={problem !== ""}
        />
        <button class="strong" disabled={busy}>
          Log in
        </button>
        <p id="refused" class="bad" role="alert">
          {problem}
        </p>
        <p id="hint" class="soft">
          A viewer's token shows everything and changes nothing. This browser keeps a session, not
          the token. The first token is on the controller, in <code>admin.token</code> of its data
          directory.
        </p>
      </form>
    </main>
  );
}
