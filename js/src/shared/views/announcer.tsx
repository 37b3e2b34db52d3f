/** Says a sentence to screen readers: politely, and not too often. */
import { useEffect, useState } from "preact/hooks";

const pause = 400; // ms of rest before something is said

export function Announced({ sentence }: { sentence: string }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSaid(sentence), pause);
    return () => clearTimeout(timer);
  }, [sentence]);
  return (
    <p class="xw-hidden" aria-live="polite">
      {said}
    </p>
  );
}
