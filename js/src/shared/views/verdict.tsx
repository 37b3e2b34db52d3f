/** Whether a prediction is right, by sign and word, not by colour alone; nothing where nobody knows. */
export function Verdict({ right }: { right: boolean | null }) {
  if (right === null) return null;
  return (
    <span class="xw-verdict" data-right={right} role="img" aria-label={right ? "right" : "wrong"}>
      {right ? "✓" : "✗"}
    </span>
  );
}
