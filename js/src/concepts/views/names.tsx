/** The name and the note of a concept, as a person gives them: text, whatever it looks like. */
import { useLayoutEffect, useState } from "preact/hooks";
import { useStore } from "./context.ts";

export function NameFields({ layer, concept }: { layer: string; concept: number }) {
  const store = useStore();
  const known = store.names.label(layer, concept);
  const [name, setName] = useState(known?.name ?? "");
  const [note, setNote] = useState(known?.note ?? "");
  const live = store.canCompute.value;
  const before = store.names.before(layer, concept);
  const kind = store.layer.value?.kind ?? "concept";

  // Another concept, or a name given in Python or in another view.
  useLayoutEffect(() => {
    setName(known?.name ?? "");
    setNote(known?.note ?? "");
  }, [known?.name, known?.note]);

  const keep = () => store.names.rename({ layer, concept, name: name.trim(), note: note.trim() });
  return (
    <div class="xw-names">
      <p class="xw-place">
        <span>
          {layer} · {kind} {concept}
        </span>
        {live && before && (
          <button
            type="button"
            class="xw-button xw-small"
            title={before.name ? `Back to “${before.name}”` : "Take the name away again"}
            // A name being typed is kept when its field is left: what is undone is then that.
            onClick={() => store.names.rename(store.names.before(layer, concept) ?? before)}
          >
            Undo
          </button>
        )}
      </p>
      <input
        class="xw-name"
        type="text"
        value={name}
        maxLength={200}
        readOnly={!live}
        aria-label={`Name of ${kind} ${concept}`}
        placeholder={live ? "Give it a name" : "No name; naming needs a kernel"}
        onInput={(event) => setName(event.currentTarget.value)}
        onBlur={keep}
        onKeyDown={(event) => {
          if (event.key === "Enter") keep();
          if (event.key === "Escape") setName(known?.name ?? "");
        }}
      />
      {(live || note) && (
        <textarea
          class="xw-note-text"
          rows={Math.min(6, Math.max(1, note.split("\n").length))}
          value={note}
          maxLength={4000}
          readOnly={!live}
          aria-label={`Note on ${kind} ${concept}`}
          placeholder="Add a note"
          onInput={(event) => setNote(event.currentTarget.value)}
          onBlur={keep}
        />
      )}
    </div>
  );
}
