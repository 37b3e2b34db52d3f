/** What went wrong, and what the kernel is up to: shown inside the widget, never instead of the picture. */
import { useState } from "preact/hooks";
import type { WidgetStore } from "../state/store.ts";
import type { WidgetState } from "../types.ts";

export function Messages<State extends WidgetState>({ store }: { store: WidgetStore<State> }) {
  return (
    <div class="xw-messages">
      {store.connection.value === "silent" && (
        <div class="xw-message" data-kind="note" role="status">
          {silence(store.everLive, store.hasContent())}
        </div>
      )}
    </div>
  );
}

/** What went wrong, over the top of the pictures: nobody scrolls for it, and it moves nothing. */
export function Errors<State extends WidgetState>({ store }: { store: WidgetStore<State> }) {
  const { trouble } = store;
  const { status } = store.state;
  const [dismissed, setDismissed] = useState<unknown>(null);
  const { state, message, hint } = status.value;
  const failed = state === "error" && dismissed !== status.value;
  return (
    <div class="xw-messages xw-errors">
      {failed && (
        <div class="xw-message" data-kind="error" role="alert">
          <div>
            <b>{message || "The computation failed."}</b>
            {hint && <p>{hint}</p>}
          </div>
          <Dismiss onClick={() => setDismissed(status.value)} />
        </div>
      )}
      {trouble.value && (
        <div class="xw-message" data-kind="error" role="alert">
          <div>
            <b>{trouble.value}</b>
          </div>
          <Dismiss
            onClick={() => {
              trouble.value = "";
            }}
          />
        </div>
      )}
    </div>
  );
}

function silence(everLive: boolean, saved: boolean): string {
  if (everLive) return "The kernel does not answer: it is busy or gone. What is on screen still works.";
  return saved
    ? "Kernel not connected: showing the saved picture. Run the cell again for new numbers."
    : "Kernel not connected, and no picture was saved. Run the cell again.";
}

function Dismiss({ onClick }: { onClick: () => void }) {
  return (
    <button type="button" class="xw-button xw-icon" aria-label="Dismiss" onClick={onClick}>
      ×
    </button>
  );
}
