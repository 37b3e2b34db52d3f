/** What is explained and how; below it what is asked of the model. */
import { AppearanceChoice } from "../../shared/controls/appearance.tsx";
import { ClassChoice, noClass } from "../../shared/controls/class-choice.tsx";
import { Heading } from "../../shared/controls/heading.tsx";
import { NumberInput } from "../../shared/controls/number.tsx";
import { type Choice, Segmented } from "../../shared/controls/segmented.tsx";
import { Select } from "../../shared/controls/select.tsx";
import { help } from "../../shared/data/words.ts";
import type { FlippingState, Order } from "../types.ts";
import { useView } from "./context.ts";

export function Header() {
  const { store } = useView();
  const { images, scope, about } = store.state;
  return (
    <Heading
      store={store}
      method={about.value.label}
      help={about.value}
      onImage={(to) => store.ask({ image: to })}
    >
      {images.value > 1 && (
        <Segmented
          label="Curves of"
          showLabel={false}
          value={scope.value}
          choices={[
            { value: "image", label: "This image", title: "Curves and areas of the image on screen" },
            {
              value: "mean",
              label: `Mean of ${images.value}`,
              title: "Mean over all images, with intervals",
            },
          ]}
          onChange={(value) => store.set("scope", value)}
        />
      )}
    </Heading>
  );
}

const orders: readonly Choice<Order>[] = [
  { value: "morf", label: "MoRF", title: "Most relevant patches first: a low curve is good" },
  { value: "lerf", label: "LeRF", title: "Least relevant patches first: a high curve is good" },
  { value: "both", label: "Both", title: "Both orders: the gap between them is the figure to rank by" },
  { value: "random", label: "Random", title: "Patches in random order: what chance does" },
];
const scores: readonly Choice<FlippingState["score"]>[] = [
  { value: "logit", label: "Logit", title: "The class's score before the softmax" },
  { value: "probability", label: "Probability", title: "The class's share after the softmax" },
];
export function Questions() {
  const { store } = useView();
  const { image, order, perturb, perturbations, patch, target, class_names, score } = store.state;
  const prediction = store.album.prediction(image.value);
  const first = prediction?.classes[0];
  return (
    <div class="xw-toolbar">
      <fieldset class="xw-questions" disabled={!store.canCompute.value}>
        <legend class="xw-hidden">What is flipped, and how</legend>
        <Segmented
          inline
          label="Order"
          help={help.flipping}
          value={order.value}
          choices={orders}
          onChange={(value) => store.ask({ order: value })}
        />
        <Select
          label="Hide with"
          help={help.hidden}
          value={perturb.value}
          choices={perturbations.value}
          onChange={(value) => store.ask({ perturb: value })}
        />
        <NumberInput
          label="Patch"
          help={help.patch}
          value={patch.value}
          min={1}
          step={1}
          unit="px"
          onChange={(value) => store.ask({ patch: Math.round(value) })}
        />
        <ClassChoice
          label="Class"
          help={help.followed}
          names={class_names.value}
          value={target.value}
          none={noClass(class_names.value, first)}
          prediction={prediction}
          onChange={(value) => store.ask({ target: value })}
        />
        <Segmented
          inline
          label="Score"
          help={help.score}
          value={score.value}
          choices={scores}
          onChange={(value) => store.ask({ score: value })}
        />
      </fieldset>
      <AppearanceChoice store={store} />
    </div>
  );
}
