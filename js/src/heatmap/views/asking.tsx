/** What can be asked about, in lists: what the model finds in the image, and the targets that have a name, alone or side by side. */
import { Checkbox } from "../../shared/controls/checkbox.tsx";
import { HelpButton } from "../../shared/controls/help.tsx";
import { Segmented } from "../../shared/controls/segmented.tsx";
import { formatProbability } from "../../shared/data/format.ts";
import type { HeatmapStore } from "../state/store.ts";
import { useView } from "./context.ts";

const mostRows = 8;

/** What the model finds in the image; nothing for models that find neither regions nor boxes. */
export function FoundPlaces() {
  const { store, asking } = useView();
  const places = store.places.value;
  if (!places) return null;
  const { regions, boxes, drawn } = places;
  const label = boxes ? "Boxes" : "Regions";
  const hint = boxes
    ? "Click a box to ask what speaks for it."
    : regions
      ? "Click a region, or drag a box, to ask what speaks for it there."
      : "Drag a box to ask what speaks for it there.";
  return (
    <section class="xw-asking" aria-label="What the model finds">
      <div class="xw-asking-head">
        {regions || boxes ? (
          <Checkbox
            label={label}
            help={{
              help: `${boxes ? "The boxes that the model finds" : "The lines between the classes that the model predicts"}.`,
            }}
            value={store.state.found.value}
            onChange={(on) => store.set("found", on)}
          />
        ) : (
          <span class="xw-label">Regions</span>
        )}
        {store.canCompute.value && (drawn || boxes) && (
          <Segmented
            label="Pointer"
            showLabel={false}
            value={asking.value ? "ask" : "read"}
            choices={[
              { value: "ask", label: "Ask", title: hint },
              {
                value: "read",
                label: "Read",
                title: "Click to pin a pixel and read its value; drag to move.",
              },
            ]}
            onChange={(to) => {
              asking.value = to === "ask";
            }}
          />
        )}
      </div>
      {store.canCompute.value && asking.value && <p class="xw-hint">{hint}</p>}
      <Rows label={label} rows={rowsOf(store)} />
    </section>
  );
}

interface Row {
  key: string;
  label: string;
  said: string;
  share: number;
  pressed: boolean;
  offered: boolean;
  choose: () => void;
}

function rowsOf(store: HeatmapStore): Row[] {
  const { regions, boxes } = store.places.value!;
  if (boxes)
    return boxes.map((found) => ({
      key: String(found.number),
      label: store.className(found.label),
      said: formatProbability(found.share),
      share: found.share,
      pressed: store.isAsked(found),
      offered: store.canCompute.value,
      choose: () => store.askAbout({ found: found.number }),
    }));
  return (regions?.classes ?? []).map(({ index, share }) => ({
    key: String(index),
    label: store.className(index),
    said: `${formatProbability(share)} of the picture`,
    share,
    pressed: store.state.target.value === index,
    offered: store.offers({ target: index }),
    choose: () => store.ask({ target: store.state.target.peek() === index ? null : index }),
  }));
}

function Rows({ label, rows }: { label: string; rows: Row[] }) {
  if (rows.length === 0) return <p class="xw-hint">none found</p>;
  return (
    <ul class="xw-rows" aria-label={label}>
      {rows.slice(0, mostRows).map(({ key, label, said, share, pressed, offered, choose }) => (
        <li key={key}>
          <button type="button" aria-pressed={pressed} disabled={!offered} onClick={choose}>
            <span>{label}</span>
            <small>{said}</small>
            <i class="xw-share-bar" style={{ width: `${share * 100}%` }} />
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Targets that have a name, such as phrases and regions asked about: to switch between, and to hold side by side. */
export function NamedTargets() {
  const { store } = useView();
  const { target } = store.state;
  const { comparison } = store;
  const listed = comparison.listed.value;
  const together = comparison.by.value === "class";
  const present = store.explained.value;
  const more = present !== null && !listed.includes(present) && listed.length > 0 ? present : null;
  // Of classes alone there is a list already.
  const first = store.state.targets.value[0]?.index;
  if (first === undefined || listed.every((index) => index < first)) return null;
  const chosen = comparison.chosen("class");
  return (
    <section class="xw-asking" aria-label="Targets">
      <div class="xw-asking-head">
        <span class="xw-label">
          Asked about
          <HelpButton
            of="Asked about"
            help={{ help: "What has a name here: click to explain it; ticked ones are shown side by side." }}
          />
        </span>
        <button
          type="button"
          class="xw-button"
          aria-pressed={together}
          disabled={!together && chosen.length < 2}
          onClick={() => comparison.start(together ? null : "class")}
        >
          Side by side
        </button>
      </div>
      <ul class="xw-rows" aria-label="Targets">
        {listed.map((index) => (
          <li key={index}>
            <input
              type="checkbox"
              aria-label={`${store.className(index)} side by side`}
              checked={chosen.includes(index)}
              onChange={() => comparison.toggle("class", index)}
            />
            <button
              type="button"
              aria-pressed={target.value === index}
              disabled={!store.offers({ target: index })}
              onClick={() => store.ask({ target: target.peek() === index ? null : index })}
            >
              <span>{store.className(index)}</span>
            </button>
          </li>
        ))}
      </ul>
      {more !== null && (
        <button
          type="button"
          class="xw-button xw-quiet-button"
          onClick={() => comparison.toggle("class", more)}
        >
          + {store.className(more)}
        </button>
      )}
    </section>
  );
}
