/** Title, image, theme; below them what is asked of the model. */
import { ClassChoice } from "../../shared/controls/class-choice.tsx";
import { NumberInput } from "../../shared/controls/number.tsx";
import { type Choice, Segmented } from "../../shared/controls/segmented.tsx";
import { Select } from "../../shared/controls/select.tsx";
import { ImageStepper } from "../../shared/controls/stepper.tsx";
import { ThemeSwitch } from "../../shared/controls/theme-switch.tsx";
import type { FlippingState, Order } from "../types.ts";
import { useView } from "./context.ts";

export function Header() {
  const { store } = useView();
  const { title, image, images, theme, scope } = store.state;
  return (
    <header class="xw-header">
      {title.value ? <h2 class="xw-title">{title.value}</h2> : <span class="xw-space" />}
      {images.value > 1 && (
        <>
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
          <ImageStepper
            image={image.value}
            images={images.value}
            onChange={(to) => store.ask({ image: to })}
          />
        </>
      )}
      <ThemeSwitch theme={theme.value} onChange={(choice) => store.set("theme", choice)} />
    </header>
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
const perturbationNames: Record<string, string> = {
  random: "random, per step",
  random_pixel: "random, per pixel",
};

export function Questions() {
  const { store } = useView();
  const { order, perturb, perturbations, patch, target, class_names, score } = store.state;
  const choices = perturbations.value.map((value) => ({ value, label: perturbationNames[value] ?? value }));
  return (
    <fieldset class="xw-questions" disabled={!store.canCompute.value}>
      <legend class="xw-hidden">What is flipped, and how</legend>
      <Segmented
        inline
        label="Order"
        value={order.value}
        choices={orders}
        onChange={(value) => store.ask({ order: value })}
      />
      <Select
        label="Show instead"
        value={perturb.value}
        choices={choices}
        onChange={(value) => store.ask({ perturb: value })}
      />
      <NumberInput
        label="Patch"
        value={patch.value}
        min={1}
        step={1}
        unit="px"
        onChange={(value) => store.ask({ patch: Math.round(value) })}
      />
      <ClassChoice
        label="Class"
        names={class_names.value}
        value={target.value}
        none="predicted class"
        onChange={(value) => store.ask({ target: value })}
      />
      <Segmented
        inline
        label="Score"
        value={score.value}
        choices={scores}
        onChange={(value) => store.ask({ score: value })}
      />
    </fieldset>
  );
}
