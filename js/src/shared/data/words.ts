/**
 * The words of what the browser alone controls, and of what colours mean. Methods, maps, settings and choices have theirs
 * from Python: see xaiwidgets/words.py.
 */
import type { Help, OverlayStyle } from "../types.ts";
import { isSigned } from "./colormaps.ts";
import { formatNumber, formatPercent } from "./format.ts";

export const help = {
  class: { help: "Which class is explained: the model's first choice, or any other." },
  against: { help: "The map then shows what speaks for the first class rather than for this one." },
  show: { help: "Which of the method's maps lies over the picture, or all beside each other." },
  beside: {
    help: "Up to six pictures beside each other: methods, classes, images, or models. Those that are counted alike share one scale.",
  },
  difference: {
    help: "One more picture: the first map minus the second, pixel by pixel, with zero in the middle of its own colours.",
  },
  depth: {
    help: "Relevance flows from the output down to the pixels, layer by layer, and next to none is lost: each layer's map, enlarged to the picture.",
    paper: "Bach et al. 2015",
    link: "doi:10.1371/journal.pone.0130140",
  },
  depth_scale: {
    help: "What the colours of layers span: each layer's own values, or one scale, on which equal areas of the picture with equal relevance look the same at every layer.",
  },
  opacity: { help: "How strongly the map covers the picture." },
  picture: {
    help: "How the picture lies beneath. In grey, no colour of it is taken for one of the map; in colour, it turns grey where the map speaks.",
  },
  overlay: {
    help: "The map in colours, or lines around its strongest 5, 10 and 20 % of pixels, smoothed a little.",
  },
  layer: {
    help: "Where in the model to look: early layers know edges and colours, late ones parts and whole things.",
  },
  order: {
    help: "By relevance: how much of the class flows through a concept. By activation: how much of it is in the image, wanted or not.",
    paper: "Achtibat et al. 2023",
    link: "arXiv:2206.03208",
  },
  references: {
    help: "Images of the data set that show the concept best: those on which it matters most for their class (RelMax), or on which it is most active (ActMax).",
    paper: "Achtibat et al. 2023",
    link: "arXiv:2206.03208",
  },
  graph: {
    help: "Which concepts of earlier layers this one is made of, on this image: the wider the line, the more relevance flows.",
    paper: "Achtibat et al. 2023",
    link: "arXiv:2206.03208",
  },
  flipping: {
    help: "Patches are hidden in the order of a heatmap: most relevant first (MoRF), where the score should fall at once, or least relevant first (LeRF), where it should stay.",
    paper: "Samek et al. 2017",
    link: "doi:10.1109/TNNLS.2016.2599820",
  },
  hidden: {
    help: "What stands where patches are hidden. A grey hole is itself something the model may react to; filling in from around is milder.",
  },
  followed: { help: "The class whose score is followed while patches are hidden." },
  patch: { help: "The side of the square patches that are hidden together, in pixels." },
  score: {
    help: "What the curves follow: the class's number before the softmax (logit), or its share after it (probability).",
  },
  colours: { help: "All of these can be told apart by colour-blind readers." },
  scale: {
    help: "What the colours span: the values of this image, of all images computed so far, or a range that you type. Pictures beside each other share one scale where they are counted alike, or have each its own.",
  },
  clip: {
    help: "Lets the few largest values take the colour of the end, so that the others can be told apart.",
  },
  threshold: {
    help: "Shows only the pixels whose importance is least uncertain; one half is U-RELAX as published.",
    paper: "Wickstrøm et al. 2022",
    link: "arXiv:2112.10161",
  },
} satisfies Record<string, Help>;

/** Of curves that end where they began: hiding the whole picture is no loss to the score. */
export function hardlyChanges(share: number): string {
  return `Hiding the whole picture changes the score by only ${formatPercent(share)}: these curves say little.`;
}

/** The label of a note that says what a picture must not be taken for, as xaiwidgets/words.py has it. */
export const caution = "caution";

const ends: Record<string, [high: string, low: string]> = {
  viridis: ["yellow", "dark purple"],
  magma: ["pale yellow", "black"],
  cividis: ["yellow", "dark blue"],
  greys: ["white", "black"],
  red_blue: ["red", "blue"],
  purple_orange: ["orange", "purple"],
};

/** What the colours of a map say, in one sentence: `high` and `low` are what a large and a small value says of a pixel. */
export function colourSentence(colormap: string, high: string, low: string, style: OverlayStyle): string {
  const [bright, dark] = ends[colormap] ?? ["the last colour", "the first colour"];
  if (style === "outlines")
    return isSigned(colormap)
      ? `${capital(bright)} lines enclose what most ${high}, ${dark} lines what most ${low}.`
      : `Lines enclose the largest values: ${high}.`;
  return isSigned(colormap)
    ? `${capital(bright)} ${high}, ${dark} ${low}; the stronger the colour, the more.`
    : `${capital(bright)}: ${high}. ${capital(dark)}: ${low}.`;
}

/** The same of a signed map that somebody gave: nobody here knows what its signs speak for. */
export function givenSentence(colormap: string, high: string, low: string, style: OverlayStyle): string {
  const [bright, dark] = ends[colormap] ?? ["the last colour", "the first colour"];
  const lines = style === "outlines" ? " lines" : "";
  return `${capital(bright)}${lines}: ${high}. ${capital(dark)}${lines}: ${low}.`;
}

/** What the colours of a difference say: where which of two has more. */
export function differenceText(
  colormap: string,
  [one, other]: [string, string],
  style: OverlayStyle,
): string {
  const [bright, dark] = ends[colormap] ?? ["the last colour", "the first colour"];
  const lines = style === "outlines" ? " lines" : "";
  return `${capital(bright)}${lines}: more in ${one}; ${dark}${lines}: more in ${other}`;
}

/** Of a map that has one value everywhere. */
export function emptySentence(value: number): string {
  return value === 0
    ? "This map is zero everywhere: it says nothing."
    : `This map is ${formatNumber(value)} everywhere: no part stands out.`;
}

/** The same in place of its colours. */
export function flatText(value: number): string {
  return value === 0 ? "zero everywhere" : `${formatNumber(value)} everywhere`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Where a paper can be read. */
export function address(link: string): string {
  const [kind, name] = [link.slice(0, link.indexOf(":")), link.slice(link.indexOf(":") + 1)];
  return kind === "arXiv" ? `https://arxiv.org/abs/${name}` : `https://doi.org/${name}`;
}
