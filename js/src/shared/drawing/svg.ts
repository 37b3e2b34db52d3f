/** Figures for papers: SVG that is built up element by element, always dark on white, and its PNG. */

const namespace = "http://www.w3.org/2000/svg";

export interface Figure {
  svg: string;
  width: number;
  height: number;
}

export type Attributes = Record<string, string | number>;

/** Adds an element, with user text as text. */
export function element(parent: Element, name: string, attributes: Attributes, content?: string): SVGElement {
  const made = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (content !== undefined) made.textContent = content;
  parent.append(made);
  return made;
}

/** An empty white figure. */
export function newFigure(width: number, height: number): SVGSVGElement {
  const root = document.createElementNS(namespace, "svg");
  const box = { width, height, viewBox: `0 0 ${width} ${height}` };
  for (const [key, value] of Object.entries(box)) root.setAttribute(key, String(value));
  root.setAttribute("font-family", "Helvetica, Arial, sans-serif");
  root.setAttribute("fill", "#1a1a1a");
  element(root, "rect", { width, height, fill: "#ffffff" });
  return root;
}

export function serialised(root: SVGSVGElement): Figure {
  const [width, height] = ["width", "height"].map((name) => Number(root.getAttribute(name)));
  return { svg: new XMLSerializer().serializeToString(root), width: width!, height: height! };
}

/** Rasterises a figure at twice its size, for slides and screens of high density. */
export async function figurePng(figure: Figure): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(figure.svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = figure.width * 2;
  canvas.height = figure.height * 2;
  canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("the browser made no PNG"))),
      "image/png",
    );
  });
}
