/** How to begin, said until it is known: under the picture, in one sentence, on this computer only once. */
import { signal } from "@preact/signals";

const key = "xaiwidgets:known";
const known = signal(remembered());

export function FirstUse({ name, children }: { name: string; children: string }) {
  if (known.value.includes(name)) return null;
  return (
    <p class="xw-first-use">
      <span>{children}</span>
      <button
        type="button"
        class="xw-button xw-small"
        onClick={() => {
          known.value = [...known.value, name];
          remember(known.value);
        }}
      >
        Got it
      </button>
    </p>
  );
}

function remembered(): string[] {
  try {
    return (localStorage.getItem(key) ?? "").split(" ");
  } catch {
    return []; // some hosts forbid it: then it is said again next time
  }
}

function remember(names: readonly string[]): void {
  try {
    localStorage.setItem(key, names.join(" ").trim());
  } catch {
    // As above.
  }
}
