/** What is sure enough to be shown: the uncertainty's histogram with a cut, and what happens beyond it. */
import { HelpButton } from "../../shared/controls/help.tsx";
import { HistogramSlider } from "../../shared/controls/histogram-slider.tsx";
import { NumberInput } from "../../shared/controls/number.tsx";
import { Segmented } from "../../shared/controls/segmented.tsx";
import type { Distribution } from "../../shared/data/distribution.ts";
import { formatNumber } from "../../shared/data/format.ts";
import { help } from "../../shared/data/words.ts";
import type { HeatmapStore } from "../state/store.ts";
import type { Method } from "../types.ts";
import { useView } from "./context.ts";

export function UncertaintyFilter({ method }: { method: Method }) {
  const { store } = useView();
  const { filter_mode, threshold } = store.state;
  const distribution = method.filter
    ? store.result({ method }).set?.maps.get(method.filter)?.distribution
    : undefined;
  const label = method.views.find((view) => view.map === method.filter)?.label ?? method.filter ?? "";
  const apply = (value: number) => {
    showFiltered(store, method);
    store.set("threshold", value);
  };
  if (!distribution || distribution.count === 0) return null;
  return (
    <section class="xw-filter" aria-label={`${label} threshold`}>
      <div class="xw-filter-head">
        <span class="xw-label">
          {label}
          <HelpButton of={label} help={help.threshold} />
        </span>
        <Segmented
          label="Less sure pixels"
          showLabel={false}
          value={filter_mode.value}
          choices={[
            { value: "hide", label: "Hide", title: "Hide the pixels that are less sure" },
            { value: "fade", label: "Fade", title: "Fade the pixels that are less sure" },
          ]}
          onChange={(mode) => store.set("filter_mode", mode)}
        />
      </div>
      <HistogramSlider distribution={distribution} label={label} value={threshold.value} onChange={apply} />
      <div class="xw-filter-foot">
        <span>
          surest{" "}
          <NumberInput
            quiet
            label="Surest share of the pixels shown, in per cent"
            value={Math.round(threshold.value * 1000) / 10}
            min={0}
            max={100}
            unit="%"
            onChange={(typed) => apply(typed / 100)}
          />{" "}
          of pixels
        </span>
        <span class="xw-value">{cutText(distribution, threshold.value)}</span>
      </div>
    </section>
  );
}

/** Moving the cut in a view that does not use it goes to the one that does: the same map, and the cut. */
function showFiltered(store: HeatmapStore, method: Method): void {
  const present = method.views.find(({ name }) => name === store.state.show.peek());
  const filtered = method.views.find((view) => view.filtered);
  if (present && !present.filtered && filtered) store.set("show", filtered.name);
}

function cutText(distribution: Distribution, threshold: number): string {
  if (threshold >= 1) return "all shown";
  if (threshold <= 0) return "none shown";
  return `≤ ${formatNumber(distribution.quantile(threshold))}`;
}
