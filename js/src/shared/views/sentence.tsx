/** Under a picture, in a line: what it must not be taken for, and what its colours say. */

export function Sentence({ text, cautions = [] }: { text: string; cautions?: readonly string[] }) {
  return (
    <p class="xw-sentence" title={[...cautions, text].join(" ")} data-caution={cautions.length > 0}>
      {cautions.map((caution) => (
        <b key={caution}>⚠ {caution} </b>
      ))}
      {text}
    </p>
  );
}
