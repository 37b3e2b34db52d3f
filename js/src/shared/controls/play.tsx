/** Plays, and pauses. */

/** `said` is its name while it does not play, `title` what a pointer reads; a widget with a key for it names the key there. */
export function PlayButton({
  playing,
  said,
  title,
  disabled,
  onToggle,
}: {
  playing: boolean;
  said: string;
  title: string;
  disabled: boolean;
  onToggle: () => void;
}) {
  return (
    <button
      type="button"
      class="xw-button xw-icon xw-play"
      aria-label={playing ? "Pause" : said}
      title={title}
      disabled={disabled}
      onClick={onToggle}
    >
      <svg viewBox="0 0 16 16" aria-hidden="true" fill="currentColor">
        {playing ? <path d="M4 2h3v12H4zM9 2h3v12H9z" /> : <path d="M4 2l9 6-9 6z" />}
      </svg>
    </button>
  );
}
