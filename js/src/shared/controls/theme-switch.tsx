/** Light, dark, or as the host says: for hosts that say nothing, and for those who want it otherwise. */
import type { ThemeChoice } from "../types.ts";

const next = { auto: "light", light: "dark", dark: "auto" } as const;

export function ThemeSwitch({
  theme,
  onChange,
}: {
  theme: ThemeChoice;
  onChange: (theme: ThemeChoice) => void;
}) {
  return (
    <button
      type="button"
      class="xw-button xw-icon xw-theme"
      data-choice={theme}
      aria-label={`Theme: ${theme}. Press for ${next[theme]}.`}
      title={`Theme: ${theme}`}
      onClick={() => onChange(next[theme])}
    >
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.5" />
        {theme === "auto" && <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />}
        {theme === "dark" && <circle cx="8" cy="8" r="6" fill="currentColor" />}
      </svg>
    </button>
  );
}
