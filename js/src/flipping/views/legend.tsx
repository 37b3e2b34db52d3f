/** All methods with their line; pressing one puts its heatmap and frames on screen. */
import { useView } from "./context.ts";
import { markOf } from "./marks.ts";
import { Swatch } from "./swatch.tsx";
import { methodName } from "./words.ts";

export function Legend() {
  const { store, hover } = useView();
  const chosen = store.method.value;
  return (
    <div class="xw-legend" role="group" aria-label="Method whose frames are shown">
      {store.visible.value.map((method) => (
        <button
          key={method}
          type="button"
          class="xw-chip"
          aria-pressed={method === chosen}
          onClick={() => store.set("method", method)}
          onPointerEnter={() => {
            hover.value = { method };
          }}
          onPointerLeave={() => {
            hover.value = null;
          }}
        >
          <Swatch mark={markOf(method, store.state.methods.value)} />
          <span class="xw-chip-name" data-text={methodName(method)}>
            {methodName(method)}
          </span>
        </button>
      ))}
    </div>
  );
}
